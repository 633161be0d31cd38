"""Deliver one batch as an SDK does: retry with the same messageIds until a final response.

200 accepts every event of the batch except those that `rejected` lists. After 429 and 5xx the
client retries, following `Retry-After` or else an exponential backoff. Any other status rejects the
whole batch with the response's `code`.
"""

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.http_client import Client, ConnectionLostError, Response

#: Attempts per batch (Segment's libraries: 10), and attempts that may lose their connection.
MAX_ATTEMPTS: Final = 10
MAX_LOST_CONNECTIONS: Final = 3
#: The wait before the second attempt; it doubles up to the maximum.
FIRST_WAIT_S: Final = 0.1
MAX_WAIT_S: Final = 5.0

_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Delivery(NamedTuple):
    """The result of a batch: the code of each rejected event by its index, and all statuses."""

    rejected: Mapping[int, str]
    statuses: tuple[int, ...]
    lost_connections: int


def headers_of(batch: Batch, authorization: str) -> dict[str, str]:
    """Return the request headers: write key, user agent and viewer address."""
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    headers["User-Agent"] = batch.visitor.agent_header
    if batch.visitor.address is not None:
        headers["X-Local-Viewer-Address"] = batch.visitor.address
    return headers


def deliver(
    batch: Batch, client: Client, authorization: str, sleep: Callable[[float], None]
) -> Delivery:
    """Send the batch until the collector gives a final response.

    Raises:
        CommandError: The collector is unreachable, rejects the write key, keeps failing, or sends a
            response that doesn't say which events it accepted.
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
            if lost >= MAX_LOST_CONNECTIONS:
                raise CommandError(
                    f"The collector stopped answering: {error}. "
                    "Read .meridian/run/logs/cloudfront.log."
                ) from error
            retry_after = None
        else:
            statuses.append(answer.status)
            if answer.status != 429 and answer.status < 500:
                rejected = _settle(answer, len(batch.views))
                return Delivery(rejected, tuple(statuses), lost)
            if len(statuses) >= MAX_ATTEMPTS:
                raise CommandError(
                    f"The collector answered the same batch {len(statuses)} times with "
                    f"{answer.status} ({_code(answer)}). docs/sdks.md explains the code; see the "
                    "logs in .meridian/run/logs/."
                )
            retry_after = answer.retry_after
        # Jitter keeps the clients from retrying all at the same moment.
        sleep(min(retry_after if retry_after is not None else wait, MAX_WAIT_S))
        wait = min(wait * 2, MAX_WAIT_S) * random.uniform(0.8, 1.0)  # noqa: S311 - no secret


def _settle(answer: Response, count: int) -> dict[int, str]:
    if answer.status == 401:
        raise CommandError(
            "The collector rejected the write key (401). Use a key of the stack's CollectorSources."
        )
    if answer.status != 200:
        return dict.fromkeys(range(count), _code(answer))
    document = _document(answer)
    if document is None:
        # SDKs treat only 200 with a JSON body as success.
        raise CommandError(
            "The collector answered 200, but the body isn't a JSON object. "
            "Check that the address is the collector's."
        )
    rejected: dict[int, str] = {}
    for entry in _entries(document):
        index, code = entry.get("index"), entry.get("code")
        if not isinstance(index, int) or not 0 <= index < count:
            raise CommandError(
                f"The collector rejected event {index!r} of a batch of {count} events. "
                "Check the response in src/edge_ingest."
            )
        rejected[index] = code if isinstance(code, str) and _CODE.fullmatch(code) else "unnamed"
    return rejected


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    entries = document.get("rejected", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CommandError(
            "The collector's response doesn't list the rejected events. "
            "Check the response in src/edge_ingest."
        )
    return entries


def _code(answer: Response) -> str:
    code = (_document(answer) or {}).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else f"http_{answer.status}"


def _document(answer: Response) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
