"""The status file: what is in flight, and whether everything has been delivered."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_emulator.event_sources.errors import StateError

STATUS_FILE = "poller-status.json"


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard now. `caught_up_at` is when a read that found nothing more began (Unix seconds);
    `iterator_age_ms` the age of the first record that is not finished.
    """

    shard_id: str
    last_read: str | None = None
    checkpoint: str | None = None
    in_flight: int = 0
    behind_ms: int | None = None
    iterator_age_ms: int = 0
    caught_up_at: float | None = None
    delivered: int = 0
    discarded: int = 0
    filtered: int = 0


def read_status(state: Path) -> dict[str, Any] | None:
    """The status of the poller whose state directory this is; None before it has written one.

    Shape: {"updated_at": Unix seconds, "mappings": [{"region", "uuid", "source_arn",
    "function_arn", "state": "running"|"starting"|"stopping"|"invalid", "delivered", "discarded",
    "filtered", "undelivered_discards", "failures", "shards": [ShardStatus as an object]}]}.
    Raises StateError where the file is something else.
    """
    path = state / STATUS_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateError(f"{path} is no status of the poller") from error
    if not isinstance(document, dict) or "mappings" not in document:
        raise StateError(f"{path} is no status of the poller")
    return document


def drained(status: dict[str, Any] | None, *, since: float, sources: Collection[str] = ()) -> bool:
    """Whether all that was in the streams at the time `since` (Unix seconds) has been dealt with.

    `sources` are the ARNs of streams that must have a running mapping; without them, a poller that
    has not yet found its mappings would count as done.
    """
    if status is None:
        return False
    running = [mapping for mapping in status["mappings"] if mapping["state"] == "running"]
    if set(sources) - {mapping["source_arn"] for mapping in running}:
        return False
    return all(
        mapping["shards"]
        and all(
            shard["in_flight"] == 0
            and shard["caught_up_at"] is not None
            and shard["caught_up_at"] >= since
            for shard in mapping["shards"]
        )
        for mapping in running
    )
