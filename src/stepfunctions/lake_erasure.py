"""A person in the data lakes of all Regions, by slices of LakeErasureFunction."""

import base64
import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from stepfunctions.errors import PermanentError

#: A person has few browsers. More are those of a server or a test.
MAX_VISITORS: Final = 1_000

#: Invoke the function of a Region with an event, and return its result.
type Invoke = Callable[[str, Mapping[str, Any]], dict[str, Any]]
#: A state, which the workflow stores as JSON between two slices.
type State = dict[str, Any]


def first(regions: Sequence[str]) -> State:
    """Return the state before the first slice of `find`, and of `erase`."""
    return {"region": 0, "position": None, "changed": False, "of_stream": False, "reports": {}} | {
        "visitors": [],
        "shared": [],
        "regions": [*regions],
    }


def find(state: State, ids: Sequence[str], invoke: Invoke) -> bool:
    """Find the anonymous ids of the person in one slice; return whether every Region is read.

    Raises:
        TransientError: The function failed.
        PermanentError: The person came with more ids than a person has.
    """
    region = state["regions"][state["region"]]
    event = {"action": "find", "ids": [*ids], "visitors": state["visitors"]}
    event |= {"shared": state["shared"], "position": state["position"]}
    result = invoke(region, event)
    state |= {name: result[name] for name in ("visitors", "shared", "position")}
    if len(state["visitors"]) > MAX_VISITORS:
        raise PermanentError("The student's events have more anonymous ids than a person has.")
    if state["position"] is None:
        state["region"] += 1
    return bool(state["region"] == len(state["regions"]))


def rows(state: State, ids: Sequence[str], invoke: Invoke) -> tuple[bytes, bool]:
    """Return the person's rows of one slice as JSON lines, and whether every Region is read.

    Visits with a browser that others use, too, are not the person's alone: those without a user id
    are left out.

    Raises:
        TransientError: The function failed.
    """
    region = state["regions"][state["region"]]
    own = sorted(set(state["visitors"]) - set(state["shared"]))
    event = {"action": "export", "ids": [*ids], "visitors": own, "position": state["position"]}
    result = invoke(region, event)
    state["position"] = result["position"]
    if state["position"] is None:
        state["region"] += 1
    lines = gzip.decompress(base64.b64decode(result["rows"]))
    return lines, bool(state["region"] == len(state["regions"]))


def ids_of(email: str) -> list[str]:
    """Return an address, and its SHA-256 as analytics SDKs send it; nothing for no address."""
    if not email:
        return []
    return [email, hashlib.sha256(email.lower().encode()).hexdigest()]


def begin(state: State) -> None:
    """Go back to the first Region, for the erasure or the rows."""
    state |= {"region": 0, "position": None, "changed": False, "of_stream": False}


def erase(state: State, ids: Sequence[str], invoke: Invoke) -> str:
    """Erase the person in one slice; return "again", "wait" or "done".

    A Region is done if a pass found nothing, and the stream has no record of the person that isn't
    in the lake. "wait": something was on its way, so another pass follows later.

    Raises:
        TransientError: The function failed.
    """
    region = state["regions"][state["region"]]
    action = "stream" if state["of_stream"] else "erase"
    event = {"action": action, "ids": [*ids], "visitors": state["visitors"]}
    result = invoke(region, {**event, "position": state["position"]})
    report, sums = result["report"], state["reports"].setdefault(region, _empty())
    is_first = state["position"] is None and action == "erase"
    sums["passes"] += is_first
    if is_first:
        sums["left"], sums["waiting"] = [], 0
    for name in ("objects", "versions", "objects_read", "waiting"):
        sums[name] += report[name]
    for table, count in report["rows"].items():
        sums["rows"][table] = sums["rows"].get(table, 0) + count
    sums["left"] += report["left"]
    sums["stream_expires"] = report["stream_expires"] or sums["stream_expires"]
    state["changed"] = state["changed"] or report["objects"] + report["versions"] > 0
    state["position"] = result["position"]
    return "again" if state["position"] is not None else _end_of_pass(state, sums)


def _end_of_pass(state: State, sums: Mapping[str, Any]) -> str:
    if not state["of_stream"]:
        if state["changed"] or sums["left"]:
            state["changed"] = False
            return "wait"
        state["of_stream"] = True
        return "again"
    state["of_stream"] = False
    if sums["waiting"]:
        return "wait"
    state["region"] += 1
    return "done" if state["region"] == len(state["regions"]) else "again"


def _empty() -> dict[str, Any]:
    counts = dict.fromkeys(("objects", "versions", "objects_read", "waiting", "passes"), 0)
    return {**counts, "rows": {}, "left": [], "stream_expires": ""}
