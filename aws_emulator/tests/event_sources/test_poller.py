"""Tests of the poller: mappings that are created, updated and deleted while it runs."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from aws_emulator.event_sources import mapping_poller, shard_poller
from aws_emulator.event_sources import poller as poller_module
from aws_emulator.event_sources.checkpoints import CheckpointStore
from aws_emulator.event_sources.errors import (
    EndpointDownError,
    PollerError,
    ServiceError,
    StateError,
    UnreachableError,
)
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.poller import CHECKPOINT_FILE, Poller
from aws_emulator.event_sources.resharding import ShardInfo
from aws_emulator.event_sources.status import drained, read_status
from aws_emulator.simulator.samples import FUNCTION_ARN, STREAM_ARN, kinesis_records
from aws_emulator.tests.event_sources.fakes import (
    FakeBackend,
    FakeShard,
    FakeStream,
    FakeTarget,
    open_shard,
)
from aws_emulator.tests.waiting import wait_until

REGION: Final = "us-east-1"


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


class PollerEnvironment:
    """A backend with one stream, and pollers for it."""

    def __init__(self, state: Path, *shards: FakeShard) -> None:
        self.state = state
        self.stream = FakeStream(*shards)
        self.target = FakeTarget()
        self.backend = FakeBackend(self.stream, self.target)
        self.backend.documents.append(document())
        self.log = io.StringIO()

    @contextmanager
    def poller(self) -> Iterator[Poller]:
        poller = Poller(self.backend, [REGION], self.state, JsonLog(self.log))
        thread = threading.Thread(target=poller.run)
        thread.start()
        try:
            yield poller
        finally:
            poller.stop()
            thread.join(60)
            assert not thread.is_alive()

    def status(self) -> dict[str, Any]:
        return read_status(self.state) or {"mappings": []}

    def mapping(self) -> dict[str, Any]:
        status = self.status()["mappings"]
        return status[0] if status else {"state": None, "delivered": 0, "shards": []}

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        wait_until(lambda: holds(self.mapping()))

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def sequence_numbers(self) -> list[str]:
        return [
            record["kinesis"]["sequenceNumber"]
            for event in self.target.events
            for record in json.loads(event)["Records"]
        ]


def test_region_with_a_first_mapping_is_polled(tmp_path: Path) -> None:
    environment = PollerEnvironment(tmp_path, open_shard(kinesis_records([b"x"] * 2)))
    environment.backend.further_regions.append("eu-west-2")
    with environment.poller():
        wait_until(lambda: len(environment.status()["mappings"]) == 2)


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (shard_poller, "POLL_INTERVAL_S", 0.01),
        (shard_poller, "IDLE_POLL_INTERVAL_S", 0.01),
        (shard_poller, "READ_RETRY_INTERVAL_S", 0.01),
        (mapping_poller, "LIST_SHARDS_INTERVAL_S", 0.01),
        (poller_module, "LIST_MAPPINGS_INTERVAL_S", 0.01),
        (poller_module, "WRITE_INTERVAL_S", 0.01),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def environment(tmp_path: Path) -> PollerEnvironment:
    return PollerEnvironment(tmp_path, open_shard(kinesis_records([b"x"] * 5)))


def test_enabled_mapping_is_polled_and_reported(environment: PollerEnvironment) -> None:
    with environment.poller():
        wait_until(lambda: drained(environment.status(), since=0, sources=[STREAM_ARN]))
        since = time.time()
        wait_until(lambda: drained(environment.status(), since=since, sources=[STREAM_ARN]))
    status = environment.mapping()
    assert (status["delivered"], status["discarded"], status["filtered"]) == (5, 0, 0)
    assert status["shards"][0]["checkpoint"] == environment.sequence_numbers()[-1]


def test_restarted_poller_resumes_from_checkpoint(environment: PollerEnvironment) -> None:
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
    environment.stream.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
    with environment.poller():
        wait_until(lambda: len(environment.sequence_numbers()) == 6)
    assert len(set(environment.sequence_numbers())) == 6


def test_recreated_mapping_starts_at_starting_position(
    environment: PollerEnvironment,
) -> None:
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        environment.backend.documents[:] = [document("u-2")]
        environment.until(lambda status: status.get("uuid") == "u-2" and status["delivered"] == 5)
    assert len(environment.sequence_numbers()) == 10
    assert CheckpointStore(environment.state / CHECKPOINT_FILE).mappings() == [f"{REGION}/u-2"]


def test_reenabled_mapping_resumes_from_checkpoint(environment: PollerEnvironment) -> None:
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        environment.backend.documents[:] = [document(State="Disabled")]
        wait_until(lambda: environment.status()["mappings"] == [])
        environment.stream.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        time.sleep(0.1)
        assert len(environment.sequence_numbers()) == 5
        environment.backend.documents[:] = [document()]
        wait_until(lambda: len(environment.sequence_numbers()) == 6)
    assert len(set(environment.sequence_numbers())) == 6


def test_mapping_that_is_reenabled_while_it_stops_is_polled_again(
    environment: PollerEnvironment,
) -> None:
    environment.target.held.clear()
    with environment.poller():
        wait_until(lambda: environment.target.events)
        environment.backend.documents[:] = [document(State="Disabled")]
        environment.until(lambda status: status["state"] == "stopping")
        environment.backend.documents[:] = [document()]
        time.sleep(0.1)  # The poller lists the mapping again before the invocation ends.
        environment.target.held.set()
        wait_until(lambda: len(set(environment.sequence_numbers())) == 5)
        environment.until(lambda status: status["state"] == "running")


def test_updated_mapping_restarts_without_repeating_a_record(
    environment: PollerEnvironment,
) -> None:
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        environment.backend.documents[:] = [document(BatchSize=7)]
        wait_until(lambda: len(environment.events("mapping_start")) == 2)
        environment.stream.by_id["shard-0"].records += kinesis_records([b"x"] * 7, first=10**56)
        wait_until(lambda: len(environment.sequence_numbers()) == 12)
    assert len(set(environment.sequence_numbers())) == 12


def test_invalid_mapping_is_logged_once_and_others_run(environment: PollerEnvironment) -> None:
    environment.backend.documents.insert(0, document("u-0", BatchSize=10_001))
    with environment.poller():
        wait_until(lambda: len(environment.sequence_numbers()) == 5)
        time.sleep(0.1)
    assert [entry["reason"] for entry in environment.events("mapping_invalid")] == [
        "Mapping u-0: BatchSize must be from 1 to 10000, not 10001."
    ]
    states = {status["uuid"]: status["state"] for status in environment.status()["mappings"]}
    assert states["u-0"] == "invalid"


def test_child_shards_are_found_and_read_after_parent(tmp_path: Path) -> None:
    parent = open_shard(kinesis_records([b"x"] * 20))
    environment = PollerEnvironment(tmp_path, parent)
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 20)
        for name, first in (("shard-1", 10**56), ("shard-2", 2 * 10**56)):
            environment.stream.by_id[name] = FakeShard(
                ShardInfo(name, ("shard-0",)), kinesis_records([b"x"] * 3, first=first)
            )
        parent.info = ShardInfo("shard-0", closed=True)
        since = time.time()
        wait_until(lambda: drained(environment.status(), since=since, sources=[STREAM_ARN]))
        assert environment.mapping()["delivered"] == 26
    assert len(set(environment.sequence_numbers())) == 26
    with environment.poller():
        wait_until(
            lambda: drained(environment.status(), since=time.time() - 0.01, sources=[STREAM_ARN])
        )
    assert len(environment.sequence_numbers()) == 26


def test_mapping_at_latest_reads_only_later_records(tmp_path: Path) -> None:
    shard = open_shard(kinesis_records([b"x"] * 3))
    environment = PollerEnvironment(tmp_path, shard)
    environment.backend.documents[:] = [document(StartingPosition="LATEST")]
    with environment.poller():
        environment.until(lambda status: any(s["caught_up_at"] for s in status["shards"]))
    # No record was read, but the checkpoint's time covers records that arrive before the restart.
    new = kinesis_records([b"x"] * 2, first=10**56, arrived=time.time())
    shard.records += new
    with environment.poller():
        wait_until(lambda: len(environment.sequence_numbers()) == 2)
    assert environment.sequence_numbers() == [record.sequence for record in new]


def test_mapping_at_latest_skips_shards_of_earlier_split(tmp_path: Path) -> None:
    child = FakeShard(ShardInfo("shard-1", ("shard-0",)), kinesis_records([b"x"] * 3, first=10**56))
    environment = PollerEnvironment(
        tmp_path, open_shard(kinesis_records([b"x"] * 3), closed=True), child
    )
    environment.backend.documents[:] = [document(StartingPosition="LATEST")]
    with environment.poller():
        environment.until(lambda status: any(s["caught_up_at"] for s in status["shards"]))
        child.records += kinesis_records([b"x"], first=2 * 10**56, arrived=time.time())
        wait_until(lambda: len(environment.sequence_numbers()) == 1)
    assert environment.sequence_numbers() == [child.records[-1].sequence]


def test_mapping_at_timestamp_reads_records_since_then(tmp_path: Path) -> None:
    records = kinesis_records([b"x"] * 10, spacing_s=0.25)
    environment = PollerEnvironment(tmp_path, open_shard(records))
    environment.backend.documents[:] = [
        document(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=records[6].arrived)
    ]
    with environment.poller():
        wait_until(lambda: len(environment.sequence_numbers()) == 4)
    assert environment.sequence_numbers() == [record.sequence for record in records[6:]]


def test_recreated_stream_is_read_from_start(environment: PollerEnvironment) -> None:
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        gone = dict(environment.stream.by_id)
        environment.stream.by_id.clear()
        wait_until(lambda: len(environment.events("shard_end")) == 1)
        gone["shard-0"].records[:] = kinesis_records([b"x"] * 2, first=10**56)
        environment.stream.by_id.update(gone)
        wait_until(lambda: len(environment.sequence_numbers()) == 7)


def test_mappings_continue_when_region_returns_errors(
    environment: PollerEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller_module, "MAX_UNREACHABLE_S", 0.1)
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        environment.backend.error = ServiceError("ListEventSourceMappings failed: 503.")
        environment.stream.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        wait_until(lambda: len(environment.sequence_numbers()) == 6)
        time.sleep(0.3)
        environment.backend.error = None
    assert len(environment.events("list_mappings_failed")) == 1


@pytest.mark.parametrize(
    ("limit", "refused"), [("MAX_REFUSED_S", True), ("MAX_UNREACHABLE_S", False)]
)
def test_poller_ends_when_endpoint_refuses_or_never_answers(
    environment: PollerEnvironment, monkeypatch: pytest.MonkeyPatch, limit: str, refused: bool
) -> None:
    monkeypatch.setattr(poller_module, limit, 0.1)
    environment.backend.error = UnreachableError("No response.", refused=refused)
    poller = Poller(environment.backend, [REGION], environment.state, JsonLog(environment.log))
    with pytest.raises(EndpointDownError, match="has not answered"):
        poller.run()
    assert environment.events("stop")


@pytest.mark.parametrize("refused", [True, False])
def test_poller_survives_short_outage_and_busy_endpoint(
    environment: PollerEnvironment, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    # Only refused connections count against the short limit.
    monkeypatch.setattr(poller_module, "MAX_REFUSED_S", 60 if refused else 0.01)
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        environment.backend.error = UnreachableError("No response.", refused=refused)
        wait_until(lambda: environment.events("list_mappings_failed"))
        time.sleep(0.1)
        environment.backend.error = None
        environment.stream.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        wait_until(lambda: len(environment.sequence_numbers()) == 6)


@pytest.mark.parametrize("error", [UnreachableError("no response"), ServiceError("failed")])
def test_failed_list_shards_is_retried_while_reading_continues(
    environment: PollerEnvironment, error: PollerError
) -> None:
    with environment.poller():
        environment.until(lambda status: status["delivered"] == 5)
        environment.stream.list_error = error
        before = environment.stream.lists
        wait_until(lambda: environment.stream.lists > before + 2)
        environment.stream.by_id["shard-0"].records += kinesis_records([b"x"], first=10**56)
        wait_until(lambda: len(environment.sequence_numbers()) == 6)
        environment.stream.by_id["shard-1"] = open_shard(
            kinesis_records([b"x"], first=2 * 10**56), "shard-1"
        )
        environment.stream.list_error = None
        wait_until(lambda: len(environment.sequence_numbers()) == 7)
    assert len(environment.events("list_shards_failed")) == isinstance(error, ServiceError)


def test_poller_ends_when_state_is_not_writable(environment: PollerEnvironment) -> None:
    poller = Poller(
        environment.backend, [REGION], environment.state / "missing", JsonLog(environment.log)
    )
    with pytest.raises(StateError, match="Can't write"):
        poller.run()
