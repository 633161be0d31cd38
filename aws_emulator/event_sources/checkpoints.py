"""The checkpoints of all shards, kept in one JSON file across restarts of the poller.

Each write replaces the whole file, so that a crash leaves either the old or the new state.
"""

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.tumbling_windows import TumblingWindow

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Progress of one shard of one mapping.

    `position` is the last sequence number up to which all records are finished; None at the start.
    `since` is the Unix time before which records are ignored, for a shard that started at LATEST or
    AT_TIMESTAMP. `finished` means that the shard is closed and processed to its end.
    """

    position: str | None = None
    since: float | None = None
    finished: bool = False
    windows: dict[int, TumblingWindow] = field(default_factory=dict)


class CheckpointStore:
    """Checkpoints by mapping key (region/UUID) and shard ID. Thread-safe.

    `flush` writes the changes. A crash before the flush repeats a few batches, which AWS allows:
    "Lambda event source mappings process each event at least once"
    (invocation-eventsourcemapping).

    Raises:
        StateError: The file exists and can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed = False
        self._mappings = _read(path)

    def shards(self, mapping: str) -> dict[str, Checkpoint]:
        """Return the checkpoints of a mapping by shard ID; empty for a new mapping."""
        with self._lock:
            return dict(self._mappings.get(mapping, {}))

    def save(self, mapping: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Set the checkpoint of a shard."""
        with self._lock:
            shards = self._mappings.setdefault(mapping, {})
            if shards.get(shard_id) != checkpoint:
                shards[shard_id] = checkpoint
                self._changed = True

    def drop(self, mapping: str, shard_id: str | None = None) -> None:
        """Delete the checkpoint of a shard, or of all shards of a mapping."""
        with self._lock:
            if shard_id is None:
                removed: object = self._mappings.pop(mapping, None)
            else:
                removed = self._mappings.get(mapping, {}).pop(shard_id, None)
            self._changed |= removed is not None

    def mappings(self) -> list[str]:
        """Return the keys of the mappings that have checkpoints."""
        with self._lock:
            return list(self._mappings)

    def flush(self) -> None:
        """Write the file if a checkpoint has changed.

        Raises:
            StateError: The write failed.
        """
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
        replace_json_file(self._path, document)


def replace_json_file(path: Path, document: dict[str, Any]) -> None:
    """Replace a JSON file atomically.

    Raises:
        StateError: The write failed.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_text(json.dumps(document), encoding="utf-8")
        os.replace(temporary, path)  # noqa: PTH105 -- documented as atomic
    except OSError as error:
        raise StateError(f"Can't write {path}: {error.strerror}.") from error


def _read(path: Path) -> dict[str, dict[str, Checkpoint]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise StateError(
                f"{path} has format {document['version']}; this poller reads {VERSION}."
            )
        return {
            name: {shard: _checkpoint(point) for shard, point in shards.items()}
            for name, shards in document["mappings"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(
            f"Can't read the checkpoints in {path}. Delete it to start over."
        ) from error


def _checkpoint(point: dict[str, Any]) -> Checkpoint:
    windows = {
        int(index): TumblingWindow(**window) for index, window in point.pop("windows").items()
    }
    return Checkpoint(**point, windows=windows)
