"""How an SDK delivers one batch: the same messageIds until it is answered for good.

200 settles every event of the batch: accepted, but for those that `rejected` lists. 429 and 5xx
are tried again after `Retry-After`, else after a growing wait. Any other status settles the whole
batch as rejected under the answer's `code`.
"""

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.transport import Answer, Client, ConnectionLostError

#: Tries of one batch (Segment's libraries: 10), and of a connection that is lost.
MAX_TRIES = 10
MAX_CONNECTION_TRIES = 3
#: Seconds before the second try, doubled for each further one, and the longest wait.
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Delivery(NamedTuple):
    """What became of a batch: the code of each rejected event by its index, every status seen."""

    rejected: Mapping[int, str]
    statuses: tuple[int, ...]
    lost_connections: int


def headers_of(batch: Batch, authorization: str) -> dict[str, str]:
    """Return the request headers of the batch: who may write, what sends, and from where."""
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    headers["User-Agent"] = batch.visitor.agent_header
    if batch.visitor.address is not None:
        headers["X-Local-Viewer-Address"] = batch.visitor.address
    return headers


def deliver(
    batch: Batch, client: Client, authorization: str, sleep: Callable[[float], None]
) -> Delivery:
    """Send the batch until it is settled.

    Raises CommandError when the edge cannot be reached, refuses the write key, keeps failing, or
    answers in a way that leaves open what became of the events.
    """
    headers, body = headers_of(batch, authorization), batch.body
    statuses: list[int] = []
    lost = 0
    wait = FIRST_WAIT_S
    while True:
        try:
            answer = client.request("POST", "/v1/batch", headers, body)
        except ConnectionLostError as error:
            lost += 1
            if lost >= MAX_CONNECTION_TRIES:
                raise CommandError(f"The edge stopped answering ({error}).") from error
            retry_after = None
        else:
            statuses.append(answer.status)
            if answer.status != 429 and answer.status < 500:
                rejected = _settle(answer, len(batch.views))
                return Delivery(rejected, tuple(statuses), lost)
            if len(statuses) >= MAX_TRIES:
                raise CommandError(
                    f"The edge answered {answer.status} ({_code(answer)}) to the same batch "
                    f"{len(statuses)} times."
                )
            retry_after = answer.retry_after
        # Waits are spread by chance, so that the clients do not come back all at once.
        sleep(min(retry_after if retry_after is not None else wait, LONGEST_WAIT_S))
        wait = min(wait * 2, LONGEST_WAIT_S) * random.uniform(0.8, 1.0)  # noqa: S311 - no secret


def _settle(answer: Answer, count: int) -> dict[int, str]:
    if answer.status == 401:
        raise CommandError("The edge refused the write key (401): is it the deployed source's?")
    if answer.status != 200:
        return dict.fromkeys(range(count), _code(answer))
    document = _document(answer)
    if document is None:
        # SDKs take exactly 200 with a JSON body for success; anything else breaks the contract.
        raise CommandError("The edge answered 200 without a JSON object.")
    rejected: dict[int, str] = {}
    for entry in _entries(document):
        index, code = entry.get("index"), entry.get("code")
        if not isinstance(index, int) or not 0 <= index < count:
            raise CommandError(f"The edge rejected event {index!r} of a batch of {count}.")
        rejected[index] = code if isinstance(code, str) and _CODE.fullmatch(code) else "unnamed"
    return rejected


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    entries = document.get("rejected", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CommandError("The edge's answer does not say which events it rejected.")
    return entries


def _code(answer: Answer) -> str:
    code = (_document(answer) or {}).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else f"http_{answer.status}"


def _document(answer: Answer) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
