"""The status file: progress of each mapping and shard, for tools that wait for the poller."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aws_emulator.event_sources.errors import StateError

STATUS_FILE: Final = "poller-status.json"


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """Progress of one shard.

    `caught_up_at` is the start time (Unix seconds) of the last read that reached the tip.
    `iterator_age_ms` is the age of the first unfinished record.
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
    """Return the status in the poller's state directory; None before the first write.

    Shape: {"updated_at": Unix seconds, "mappings": [{"region", "uuid", "source_arn",
    "function_arn", "state": "running"|"starting"|"stopping"|"invalid", "delivered", "discarded",
    "filtered", "undelivered_discards", "failures", "shards": [ShardStatus as an object]}]}.

    Raises:
        StateError: The file can't be read or has another shape.
    """
    path = state / STATUS_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StateError(f"{path} isn't a valid status file of the poller.") from error
    if not isinstance(document, dict) or "mappings" not in document:
        raise StateError(f"{path} isn't a valid status file of the poller.")
    return document


def drained(status: dict[str, Any] | None, *, since: float, sources: Collection[str] = ()) -> bool:
    """Tell whether the poller has processed all records that were in the streams at `since`.

    `since` is in Unix seconds. `sources` are ARNs of streams that must have a running mapping; they
    keep a poller that has not listed its mappings yet from passing as drained.
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
