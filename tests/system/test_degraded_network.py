"""System tests with many SDKs at once while Kinesis throttles or Regions are unreachable.

Each accepted event must be in a data lake, and in none twice. No SDK may resend an event after its
final response.
"""

import json
import time
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Final

import pytest

from tests.support.environments import end_environments
from tests.support.waiting import wait_until
from tests.system.conftest import LONDON, MUMBAI
from tests.system.regional_lakes import stored_in_lakes
from tests.system.sdks import senders
from tests.system.sdks.recorder import Exchange, Recorder, recording
from tests.system.test_journey import event, post, rows, stored
from tests.system.test_regions import EDGE_INGEST
from tools.dev import system

pytestmark = pytest.mark.integration

EVENTS: Final = 24
#: Groups of SDKs. Those of a group send at the same time.
GROUPS: Final = 3
PAUSE_S: Final = 0.25
#: Duration of the outage of all Regions after its first failed response.
OUTAGE_S: Final = 3.0

#: Query parameters of the emulator's fault injector.
type Fault = dict[str, str]

THROTTLED: Fault = {"kind": "throttled", "operation": "PutRecords", "share": "0.6"}
NEAREST_UNREACHABLE: Fault = {"kind": "refused", "region": LONDON}
ALL_UNREACHABLE: Fault = {"kind": "refused"}
#: A fifth of the calls takes a second, and the answers of two are lost. The emulator runs few
#: processes: if each call were that slow, requests would wait for longer than the SDKs do.
SLOW: Fault = {
    "kind": "late",
    "seconds": "1",
    "share": "0.2",
    "operation": "PutRecords",
    "region": LONDON,
}
LOSSY: Fault = {"kind": "lost", "times": "2", "operation": "PutRecords", "region": LONDON}
#: The X-Cache header of CloudFront's response after a function reached its time limit.
TIME_LIMIT: Final = "LambdaLimitExceeded from cloudfront"
#: Longer than the collector waits.
NEAREST_HANGING: Fault = {"kind": "hanging", "seconds": "12", "region": LONDON}


def control_faults(running: system.System, method: str, fault: Fault) -> Any:
    """Call the fault injector for Kinesis: POST adds a fault, GET lists, DELETE removes."""
    query = urllib.parse.urlencode({"service": "kinesis", **fault})
    url = f"{running.target.endpoint}/_local/faults?{query}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60) as response:
        return json.load(response)


@contextmanager
def injected_faults(running: system.System, faults: tuple[Fault, ...]) -> Iterator[None]:
    """Make calls to Kinesis fail until the end of the block."""
    for fault in faults:
        control_faults(running, "POST", fault)
    try:
        yield
    finally:
        control_faults(running, "DELETE", {})


@contextmanager
def ended_outage(running: system.System, recorder: Recorder, seconds: float) -> Iterator[None]:
    """Remove the faults `seconds` after the first failed response; the block must have one."""
    before = len(recorder.exchanges)

    def has_failed() -> bool:
        return any(it.status != 200 for it in recorder.exchanges[before:])

    def end() -> None:
        wait_until(has_failed, "a failed response")
        time.sleep(seconds)
        control_faults(running, "DELETE", {})

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end)
        yield
    ending.result()


def groups_of(sdks: dict[str, senders.Sender]) -> list[dict[str, senders.Sender]]:
    """Divide the SDKs into groups that a busy machine can run at once, each with some browsers."""
    names = list(sdks)
    return [{name: sdks[name] for name in names[first::GROUPS]} for first in range(GROUPS)]


def start_environments(running: system.System, count: int) -> None:
    """Replace the collector's environments by `count` new ones, which have answered a request.

    An environment avoids a Region for up to 320 seconds after an outage. On a busy machine, the
    first request of a new one can exceed the function's time limit. A browser SDK that doesn't get
    its settings gives up.
    """
    end_environments(running, EDGE_INGEST)

    def is_answered(number: int) -> bool:
        sent = event("track", f"environment-{number}")
        return post(running, "/v1/track", sent).status_code == 200

    with ThreadPoolExecutor(count) as pool:
        for answered in [
            pool.submit(wait_until, partial(is_answered, number), "an environment")
            for number in range(count)
        ]:
            answered.result()


def send_all(sdks: dict[str, senders.Sender], url: str, write_key: str) -> dict[str, str]:
    """Send events with all SDKs at the same time; return {visitor: SDK name}."""
    visitors = {str(uuid.uuid4()): name for name in sdks}
    with ThreadPoolExecutor(len(sdks)) as pool:
        runs = [
            pool.submit(sdks[name], senders.Task(url, write_key, visitor, EVENTS, PAUSE_S))
            for visitor, name in visitors.items()
        ]
    for run in runs:
        run.result()
    return visitors


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "late", "seconds": "2.5", "times": "1"},
        {"kind": "lost", "times": "2"},
        {"kind": "cut", "times": "2"},
    ],
    ids=["late", "lost", "cut"],
)
def test_slow_region_and_lost_answers_lead_to_one_row(fault: Fault, regions: system.System) -> None:
    """The nearest Region has stored the records, so another Region must not get them, too."""
    sent = [event("track", "slow", event=f"Step {n}") for n in range(3)]
    nearest = {"region": LONDON, "operation": "PutRecords"}
    end_environments(regions, EDGE_INGEST)
    with injected_faults(regions, (fault | nearest,)):
        assert post(regions, "/v1/batch", {"batch": sent}).status_code == 200
    condition = f"message_id IN ({', '.join(repr(it['messageId']) for it in sent)})"
    stored_rows = stored(regions, condition, len(sent))
    good = Counter(row["message_id"] for row in stored_rows if row["verdict"] == "good")
    assert good == {str(it["messageId"]): 1 for it in sent}
    lake = f"meridian-{regions.target.stage}-lake-000000000000-{MUMBAI}"
    assert rows(regions, condition, lake) == []


@pytest.mark.parametrize(
    ("faults", "seconds"),
    [
        pytest.param((THROTTLED,), None, id="throttled", marks=pytest.mark.nightly),
        pytest.param((LOSSY, SLOW), None, id="slow-and-lossy"),
        pytest.param((NEAREST_HANGING,), None, id="hanging", marks=pytest.mark.nightly),
        pytest.param((NEAREST_UNREACHABLE,), None, id="nearest-unreachable"),
        pytest.param(
            (ALL_UNREACHABLE,),
            OUTAGE_S,
            id="all-unreachable-for-3-s",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_accepted_events_are_stored_once_per_lake(
    faults: tuple[Fault, ...],
    seconds: float | None,
    sdks: dict[str, senders.Sender],
    regions: system.System,
) -> None:
    visitors: dict[str, str] = {}
    with recording(regions.url) as recorder:
        for group in groups_of(sdks):
            start_environments(regions, len(group))
            before = len(recorder.exchanges)
            with (
                injected_faults(regions, faults),
                nullcontext() if seconds is None else ended_outage(regions, recorder, seconds),
            ):
                visitors |= send_all(group, recorder.url, regions.deployed.write_key)
                if seconds is None:
                    assert all(it["acted"] > 0 for it in control_faults(regions, "GET", {}))
            check_failed_responses(recorder.exchanges[before:], expected=ALL_UNREACHABLE in faults)
    accepted = recorder.accepted()
    assert recorder.resent == []
    accepted_by_sdk = Counter(visitors[visitor] for visitor in accepted.values())
    # During an outage of all Regions an SDK may drop events, but each SDK recovers.
    assert accepted_by_sdk.keys() == set(sdks)
    if ALL_UNREACHABLE not in faults:
        assert set(accepted_by_sdk.values()) == {EVENTS}

    condition = f"anonymous_id IN ({', '.join(repr(it) for it in visitors)})"
    stored_rows = stored_in_lakes(regions, condition, set(accepted))
    good = Counter(
        (row["stream_region"], row["message_id"]) for row in stored_rows if row["verdict"] == "good"
    )
    assert accepted.keys() <= {message_id for _, message_id in good}
    assert {it: count for it, count in good.items() if count > 1} == {}
    if NEAREST_UNREACHABLE in faults or NEAREST_HANGING in faults:
        assert {row["stream_region"] for row in stored_rows} == {MUMBAI}
    # On a slow machine, London may answer too late. Then Mumbai gets the event as well, and
    # `events_once_all_regions` counts it once.
    assert all(row["failover"] == (row["stream_region"] == MUMBAI) for row in stored_rows)


def check_failed_responses(exchanges: list[Exchange], *, expected: bool) -> None:
    """Check that failed responses are 503 with Retry-After, and exist if expected.

    CloudFront answers without that header if a busy machine ends the function at its time limit.
    """
    failed = [it for it in exchanges if it.status != 200]
    assert {it.status for it in failed} <= {503}
    assert {it.result for it in failed if not it.retry_after} <= {TIME_LIMIT}
    if expected:
        assert failed
