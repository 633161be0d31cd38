"""What must survive a restart: how far each shard is, in one file that is replaced as a whole."""

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.tumbling_windows import Window

VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far one shard of one mapping is.

    `position` is the last sequence number that is finished, None where nothing is. `since` is the
    Unix time from which a shard counts that was started at LATEST. `finished` once it is closed
    and read to its end.
    """

    position: str | None = None
    since: float | None = None
    finished: bool = False
    windows: dict[int, Window] = field(default_factory=dict)


class CheckpointStore:
    """The checkpoints of all mappings, by the mapping's name (region/UUID) and the shard's id.

    `flush` writes what has changed; a crash before it repeats a few batches, which is what an
    event source mapping may do: "Lambda event source mappings process each event at least once"
    (invocation-eventsourcemapping).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed = False
        self._mappings = _read(path)

    def shards(self, mapping: str) -> dict[str, Checkpoint]:
        """A mapping's shards; empty for one that has never run."""
        with self._lock:
            return dict(self._mappings.get(mapping, {}))

    def save(self, mapping: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Note how far a shard is."""
        with self._lock:
            shards = self._mappings.setdefault(mapping, {})
            if shards.get(shard_id) != checkpoint:
                shards[shard_id] = checkpoint
                self._changed = True

    def drop(self, mapping: str, shard_id: str | None = None) -> None:
        """Forget a shard that is gone, or a whole mapping."""
        with self._lock:
            if shard_id is None:
                gone: object = self._mappings.pop(mapping, None)
            else:
                gone = self._mappings.get(mapping, {}).pop(shard_id, None)
            self._changed |= gone is not None

    def mappings(self) -> list[str]:
        """The mappings that are remembered."""
        with self._lock:
            return list(self._mappings)

    def flush(self) -> None:
        """Write the file if anything has changed. Raises StateError."""
        with self._lock:
            if not self._changed:
                return
            document = {
                "version": VERSION,
                "mappings": {
                    name: {shard: asdict(point) for shard, point in shards.items()}
                    for name, shards in self._mappings.items()
                },
            }
            self._changed = False
        write_whole(self._path, document)


def write_whole(path: Path, document: dict[str, Any]) -> None:
    """Replace a JSON file so that a reader sees the old one or the new one. Raises StateError."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_text(json.dumps(document), encoding="utf-8")
        os.replace(beside, path)  # noqa: PTH105 -- the atomic one, by its name
    except OSError as error:
        raise StateError(f"the poller cannot write {path}: {error.strerror}") from error


def _read(path: Path) -> dict[str, dict[str, Checkpoint]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise StateError(f"{path} is of version {document['version']}, not {VERSION}")
        return {
            name: {shard: _checkpoint(point) for shard, point in shards.items()}
            for name, shards in document["mappings"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path} is no file of the poller; remove it to start anew") from error


def _checkpoint(point: dict[str, Any]) -> Checkpoint:
    windows = {int(queue): Window(**window) for queue, window in point.pop("windows").items()}
    return Checkpoint(**point, windows=windows)
