"""Foreign readers of the Iceberg table while the lake is written, compacted and erased."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_socket import enable_socket

from aws_emulator.launcher import Emulator
from aws_emulator.processes import free_port, supervise
from tests.support.running import state_folder
from tests.system.readers.live_lake import DATABASE, REGION, LiveLake
from tests.system.readers.read_table import READERS
from tests.unit.stream_processor.fakes import LAKE
from tests.unit.stream_processor.test_erasure import OTHER, USER
from tools.setup import readers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

#: A reading beside an erasure can miss a file that it replaced (decision 0072): read again.
ATTEMPTS: Final = 30
#: The readers that read S3 themselves; Spark reads a copy.
LIVE: Final = ("pyiceberg", "polars", "duckdb")
#: Rows of a snapshot by position in the stream: verdict and message ID.
type Snapshot = dict[tuple[str, str, int], tuple[str, str | None]]


class Reader:
    """A process that reads the table by a foreign library."""

    def __init__(self, name: str, source: dict[str, str]) -> None:
        self.name = name
        self._source = json.dumps(source)
        self._process = subprocess.Popen(
            [readers.FOLDER / "bin" / "python", Path(__file__).with_name("read_table.py"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "JAVA_HOME": str(readers.FOLDER / "java")},
        )

    def close(self) -> None:
        with self._process:
            self._process.terminate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(self._source + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self.name} ended with {self._process.wait()}"
        return dict(json.loads(line))

    def read(self, attempts: int = 1) -> Snapshot:
        """Read all snapshots and return the newest. Fails if a row is twice in one, or is lost."""
        answer: dict[str, Any] = {}
        for _ in range(attempts):
            answer = self._answer()
            if "error" not in answer:
                return self._newest(answer["snapshots"])
            time.sleep(0.2)
        raise AssertionError(f"{self.name}: {answer['error']}")

    def _newest(self, answer: list[tuple[int, list[list[Any]]]]) -> Snapshot:
        newest: Snapshot = {}
        for number, table in answer:
            snapshot = {(row[0], row[1], row[2]): (row[3], row[4]) for row in table}
            assert len(snapshot) == len(table), f"{self.name}: a row is twice in {number}"
            assert newest.keys() <= snapshot.keys(), f"{self.name}: {number} lost rows"
            newest = snapshot
        return newest


class Readings:
    """What each reader saw last."""

    def __init__(self, processes: dict[str, Reader]) -> None:
        self._processes = processes
        self.newest: dict[str, Snapshot] = {name: {} for name in processes}
        self.count = 0

    def read(self, *names: str, attempts: int = 1) -> None:
        for name in names:
            newest = self._processes[name].read(attempts)
            lost = self.newest[name].keys() - newest.keys()
            assert not lost, f"{name} doesn't see {lost} anymore"
            self.newest[name] = newest
            self.count += 1

    def beside(self, action: Callable[[], object], attempts: int = 1) -> None:
        """Read while an action runs, and once after its end."""
        errors: list[BaseException] = []

        def run() -> None:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - raised below, in the test's thread
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            self.read(*LIVE, attempts=attempts)
        if errors:
            raise errors[0]
        self.read(*LIVE)


@pytest.fixture
def lake() -> Iterator[LiveLake]:
    if not readers.is_installed():
        pytest.skip("The readers aren't installed: run `make readers`")
    enable_socket()
    with supervise(state_folder("test-readers")) as processes:
        emulator = Emulator(processes, free_port())
        emulator.start_ministack()
        yield LiveLake(emulator.endpoint)


@pytest.fixture
def readings(lake: LiveLake, tmp_path: Path) -> Iterator[Readings]:
    source = {
        "endpoint": lake.endpoint,
        "region": REGION,
        "key": "test",
        "secret": "test",
        "bucket": LAKE,
        "database": DATABASE,
        "folder": str(tmp_path / "copy"),
    }
    processes = {name: Reader(name, source) for name in READERS}
    yield Readings(processes)
    for reader in processes.values():
        reader.close()


def test_readers_see_each_row_once_while_the_table_is_written(
    lake: LiveLake, readings: Readings
) -> None:
    def append() -> None:
        for number in range(12):
            lake.send(USER if number % 3 == 0 else OTHER)
            if number % 2:
                lake.publish()

    def compact() -> None:
        lake.compact()
        lake.send(OTHER)
        lake.publish()
        lake.send(USER)
        lake.publish()

    lake.send(USER)
    lake.publish()
    readings.beside(append)
    readings.beside(compact)
    readings.read("spark")
    # A reading beside it can begin before a commit and end after it.
    readings.beside(lambda: lake.erase(USER), attempts=ATTEMPTS)
    lake.send(OTHER)
    lake.publish()
    readings.read(*READERS)
    stored: Snapshot = {
        (row["shard_id"], row["sequence_number"], row["record_index"]): (
            row["verdict"],
            row["message_id"],
        )
        for row in lake.stored()
    }
    for name in READERS:
        assert readings.newest[name] == stored, name
    assert {verdict for verdict, _ in stored.values()} == {"good", "bad", "erased"}
    assert readings.count > 20
