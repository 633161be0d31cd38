"""Tests of the checkpoint store and its file."""

from pathlib import Path
from typing import Final

import pytest

from aws_emulator.event_sources.checkpoints import Checkpoint, CheckpointStore
from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.tumbling_windows import TumblingWindow

CHECKPOINT: Final = Checkpoint(
    "9" * 56, since=1.5, windows={2: TumblingWindow(60, 30, {"n": [1]}, early=True)}
)


def test_store_reads_flushed_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "points.json"
    store = CheckpointStore(path)
    store.save("region/a", "s-1", CHECKPOINT)
    store.save("region/a", "s-2", Checkpoint(finished=True))
    store.flush()
    again = CheckpointStore(path)
    assert again.shards("region/a") == {"s-1": CHECKPOINT, "s-2": Checkpoint(finished=True)}
    assert again.shards("region/b") == {}


def test_store_drops_checkpoints_of_shard_and_mapping(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "points.json")
    store.save("a", "s-1", CHECKPOINT)
    store.save("a", "s-2", CHECKPOINT)
    store.save("b", "s-1", CHECKPOINT)
    store.drop("a", "s-1")
    store.drop("b")
    store.drop("c")
    store.flush()
    again = CheckpointStore(tmp_path / "points.json")
    assert again.mappings() == ["a"]
    assert list(again.shards("a")) == ["s-2"]


def test_flush_does_not_write_unchanged_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "points.json"
    store = CheckpointStore(path)
    store.flush()
    assert not path.exists()
    store.save("a", "s", CHECKPOINT)
    store.flush()
    before = path.stat().st_ino
    store.save("a", "s", CHECKPOINT)
    store.flush()
    assert path.stat().st_ino == before


def test_failed_flush_keeps_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "points.json"
    store = CheckpointStore(path)
    store.save("a", "s", CHECKPOINT)
    store.flush()
    before = path.read_text()

    def half(self: Path, text: str, encoding: str) -> int:
        with self.open("w") as out:
            out.write(text[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    store.save("a", "s", Checkpoint())
    with pytest.raises(StateError, match="No space left on device"):
        store.flush()
    assert path.read_text() == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"version": 2, "mappings": {}}', '{"version": 1, "mappings": {"a": 5}}'],
)
def test_store_rejects_file_of_unknown_format(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.json"
    path.write_text(text)
    with pytest.raises(StateError, match=r"points\.json"):
        CheckpointStore(path)
