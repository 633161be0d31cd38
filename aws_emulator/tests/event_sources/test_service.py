"""Mappings come, change and go while the poller runs."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.event_sources import reader, runner, service
from aws_emulator.event_sources.checkpoints import CheckpointStore
from aws_emulator.event_sources.errors import (
    EmulatorGoneError,
    PollerError,
    ServiceError,
    StateError,
    UnreachableError,
)
from aws_emulator.event_sources.journal import Journal
from aws_emulator.event_sources.service import CHECKPOINT_FILE, Poller
from aws_emulator.event_sources.status import drained, read_status
from aws_emulator.event_sources.topology import ShardInfo
from aws_emulator.simulator.samples import FUNCTION_ARN, STREAM_ARN, kinesis_records
from aws_emulator.tests.event_sources.fakes import (
    FakePlatform,
    FakeShard,
    FakeSource,
    FakeTarget,
    open_shard,
)
from aws_emulator.tests.waiting import wait_until

REGION = "us-east-1"


def document(uuid: str = "u-1", **settings: Any) -> dict[str, Any]:
    return {
        "UUID": uuid,
        "EventSourceArn": STREAM_ARN,
        "FunctionArn": FUNCTION_ARN,
        "State": "Enabled",
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 2,
        **settings,
    }


class World:
    """A platform with one stream, and pollers on it."""

    def __init__(self, state: Path, *shards: FakeShard) -> None:
        self.state = state
        self.source = FakeSource(*shards)
        self.target = FakeTarget()
        self.platform = FakePlatform(self.source, self.target)
        self.platform.documents.append(document())
        self.log = io.StringIO()

    @contextmanager
    def polling(self) -> Iterator[Poller]:
        poller = Poller(self.platform, [REGION], self.state, Journal(self.log))
        thread = threading.Thread(target=poller.run)
        thread.start()
        try:
            yield poller
        finally:
            poller.stop()
            thread.join(20)
            assert not thread.is_alive()

    def status(self) -> dict[str, Any]:
        return read_status(self.state) or {"mappings": []}

    def mapping(self) -> dict[str, Any]:
        found = self.status()["mappings"]
        return found[0] if found else {"state": None, "delivered": 0, "shards": []}

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        wait_until(lambda: holds(self.mapping()))

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def sequences(self) -> list[str]:
        return [
            record["kinesis"]["sequenceNumber"]
            for event in self.target.events
            for record in json.loads(event)["Records"]
        ]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (reader, "POLL_S", 0.01),
        (reader, "RETRY_S", 0.01),
        (runner, "LIST_S", 0.01),
        (service, "TICK_S", 0.01),
        (service, "WRITE_S", 0.01),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, open_shard(kinesis_records([b"x"] * 5)))


def test_an_enabled_mapping_is_run_and_its_status_told(world: World) -> None:
    with world.polling():
        wait_until(lambda: drained(world.status(), since=0, sources=[STREAM_ARN]))
        since = time.time()
        wait_until(lambda: drained(world.status(), since=since, sources=[STREAM_ARN]))
    found = world.mapping()
    assert (found["delivered"], found["discarded"], found["filtered"]) == (5, 0, 0)
    assert found["shards"][0]["checkpoint"] == world.sequences()[-1]


def test_a_restart_goes_on_where_it_was(world: World) -> None:
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
    world.source.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
    with world.polling():
        wait_until(lambda: len(world.sequences()) == 6)
    assert len(set(world.sequences())) == 6


def test_a_mapping_that_is_made_again_starts_from_its_starting_position(world: World) -> None:
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        world.platform.documents[:] = [document("u-2")]
        world.until(lambda found: found.get("uuid") == "u-2" and found["delivered"] == 5)
    assert len(world.sequences()) == 10
    assert CheckpointStore(world.state / CHECKPOINT_FILE).mappings() == [f"{REGION}/u-2"]


def test_a_disabled_mapping_stops_and_goes_on_where_it_was(world: World) -> None:
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        world.platform.documents[:] = [document(State="Disabled")]
        wait_until(lambda: world.status()["mappings"] == [])
        world.source.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        time.sleep(0.1)
        assert len(world.sequences()) == 5
        world.platform.documents[:] = [document()]
        wait_until(lambda: len(world.sequences()) == 6)
    assert len(set(world.sequences())) == 6


def test_changed_settings_are_followed_without_repeating_a_record(world: World) -> None:
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        world.platform.documents[:] = [document(BatchSize=7)]
        wait_until(lambda: len(world.events("mapping_start")) == 2)
        world.source.by_id["shard-0"].records += kinesis_records([b"x"] * 7, first=10**56)
        wait_until(lambda: len(world.sequences()) == 12)
    assert len(set(world.sequences())) == 12


def test_an_invalid_mapping_is_told_once_and_others_run(world: World) -> None:
    world.platform.documents.insert(0, document("u-0", BatchSize=10_001))
    with world.polling():
        wait_until(lambda: len(world.sequences()) == 5)
        time.sleep(0.1)
    assert [entry["reason"] for entry in world.events("mapping_invalid")] == [
        "BatchSize of mapping u-0 is 10001, not 1 to 10000"
    ]
    states = {found["uuid"]: found["state"] for found in world.status()["mappings"]}
    assert states["u-0"] == "invalid"


def test_children_follow_their_parent_and_new_shards_are_found(tmp_path: Path) -> None:
    parent = open_shard(kinesis_records([b"x"] * 20))
    world = World(tmp_path, parent)
    with world.polling():
        world.until(lambda found: found["delivered"] == 20)
        for name, first in (("shard-1", 10**56), ("shard-2", 2 * 10**56)):
            world.source.by_id[name] = FakeShard(
                ShardInfo(name, ("shard-0",)), kinesis_records([b"x"] * 3, first=first)
            )
        parent.info = ShardInfo("shard-0", closed=True)
        since = time.time()
        wait_until(lambda: drained(world.status(), since=since, sources=[STREAM_ARN]))
        assert world.mapping()["delivered"] == 26
    assert len(set(world.sequences())) == 26
    with world.polling():
        wait_until(lambda: drained(world.status(), since=time.time() - 0.01, sources=[STREAM_ARN]))
    assert len(world.sequences()) == 26


def test_a_mapping_at_latest_reads_only_what_comes_after_it(tmp_path: Path) -> None:
    shard = open_shard(kinesis_records([b"x"] * 3))
    world = World(tmp_path, shard)
    world.platform.documents[:] = [document(StartingPosition="LATEST")]
    with world.polling():
        world.until(lambda found: any(s["caught_up_at"] for s in found["shards"]))
    # Nothing was read, yet what came while the poller was away is not missed.
    new = kinesis_records([b"x"] * 2, first=10**56, arrived=time.time())
    shard.records += new
    with world.polling():
        wait_until(lambda: len(world.sequences()) == 2)
    assert world.sequences() == [record.sequence for record in new]


def test_a_mapping_at_latest_leaves_a_split_that_came_before_it_alone(tmp_path: Path) -> None:
    child = FakeShard(ShardInfo("shard-1", ("shard-0",)), kinesis_records([b"x"] * 3, first=10**56))
    world = World(tmp_path, open_shard(kinesis_records([b"x"] * 3), closed=True), child)
    world.platform.documents[:] = [document(StartingPosition="LATEST")]
    with world.polling():
        world.until(lambda found: any(s["caught_up_at"] for s in found["shards"]))
        child.records += kinesis_records([b"x"], first=2 * 10**56, arrived=time.time())
        wait_until(lambda: len(world.sequences()) == 1)
    assert world.sequences() == [child.records[-1].sequence]


def test_a_mapping_at_a_time_reads_what_arrived_since(tmp_path: Path) -> None:
    records = kinesis_records([b"x"] * 10, spacing_s=0.25)
    world = World(tmp_path, open_shard(records))
    world.platform.documents[:] = [
        document(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=records[6].arrived)
    ]
    with world.polling():
        wait_until(lambda: len(world.sequences()) == 4)
    assert world.sequences() == [record.sequence for record in records[6:]]


def test_a_stream_that_is_made_again_is_read_again(world: World) -> None:
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        gone = dict(world.source.by_id)
        world.source.by_id.clear()
        wait_until(lambda: len(world.events("shard_end")) == 1)
        gone["shard-0"].records[:] = kinesis_records([b"x"] * 2, first=10**56)
        world.source.by_id.update(gone)
        wait_until(lambda: len(world.sequences()) == 7)


def test_a_region_that_refuses_is_alive_and_its_mappings_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GONE_S", 0.1)
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        world.platform.refusal = ServiceError("ListEventSourceMappings was refused: 503")
        world.source.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        wait_until(lambda: len(world.sequences()) == 6)
        time.sleep(0.3)
        world.platform.refusal = None
    assert len(world.events("list_mappings_failed")) == 1


def test_a_dead_emulator_ends_the_poller(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "GONE_S", 0.1)
    world.platform.refusal = UnreachableError("no answer: EndpointConnectionError")
    poller = Poller(world.platform, [REGION], world.state, Journal(world.log))
    with pytest.raises(EmulatorGoneError, match="has not answered"):
        poller.run()
    assert world.events("stop")


def test_a_short_silence_is_survived(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "GONE_S", 60)
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        world.platform.refusal = UnreachableError("no answer: EndpointConnectionError")
        time.sleep(0.1)
        world.platform.refusal = None
        world.source.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        wait_until(lambda: len(world.sequences()) == 6)


@pytest.mark.parametrize("refusal", [UnreachableError("no answer"), ServiceError("refused")])
def test_a_stream_that_cannot_be_listed_is_read_on_and_listed_later(
    world: World, refusal: PollerError
) -> None:
    with world.polling():
        world.until(lambda found: found["delivered"] == 5)
        world.source.list_refusal = refusal
        before = world.source.lists
        wait_until(lambda: world.source.lists > before + 2)
        world.source.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        wait_until(lambda: len(world.sequences()) == 6)
        world.source.by_id["shard-1"] = open_shard(
            kinesis_records([b"x"], first=2 * 10**56), "shard-1"
        )
        world.source.list_refusal = None
        wait_until(lambda: len(world.sequences()) == 7)
    assert len(world.events("list_shards_failed")) == isinstance(refusal, ServiceError)


def test_a_state_that_cannot_be_written_ends_the_poller(world: World) -> None:
    poller = Poller(world.platform, [REGION], world.state / "missing", Journal(world.log))
    with pytest.raises(StateError, match="cannot write"):
        poller.run()
