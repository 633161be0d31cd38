"""The age of a snapshot at the edge: how often it is read, and what happens if that fails."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth.errors import FetchError, SnapshotUnavailableError, TokenError
from edge_auth.jwks import parse_moduli, public_keys
from edge_auth.rsa_backend import select_backend
from signed_snapshot.publisher import Publisher
from signed_snapshot.reader import MAX_AGE_DURING_FAILURES_S, RETRY_S, SnapshotReader
from tests.support.paths import ROOT
from tests.unit.edge_auth.issuer import NOW, Clock
from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3

URL = "https://site.example/snapshots/numbers"
MAX_AGE_S = 55


class Store:
    """A published snapshot with one number, behind an address that can fail."""

    def __init__(self, clock: Clock) -> None:
        self.s3 = FakeS3()
        self.publisher = Publisher(
            self.s3, FakeKms(), bucket="b", key="k", name="numbers", key_id="one"
        )
        self.clock = clock
        self.reads = 0
        self.down = False

    def publish(self, number: object) -> None:
        self.publisher.update(lambda _: {"number": number}, int(self.clock()))

    def fetch(self, url: str) -> bytes:
        assert url == URL
        self.reads += 1
        if self.down:
            raise FetchError
        return self.s3.objects["k"]


def parse(content: dict[str, object]) -> int:
    number = content.get("number")
    if not isinstance(number, int):
        raise TokenError
    return number


def reader_of(store: Store, clock: Clock) -> SnapshotReader[int]:
    keys = public_keys(parse_moduli(store.publisher.public_keys()), select_backend())
    return SnapshotReader(
        "numbers", keys=keys, fetch=store.fetch, parse=parse, clock=clock, max_age_s=MAX_AGE_S
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    store = Store(clock)
    store.publish(1)
    return store


@pytest.fixture
def reader(store: Store, clock: Clock) -> SnapshotReader[int]:
    return reader_of(store, clock)


def test_change_is_seen_within_a_minute(
    store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    assert reader.read(URL) == 1
    store.publish(2)
    clock.now += MAX_AGE_S - 0.1
    assert reader.read(URL) == 1
    clock.now += 0.1
    assert reader.read(URL) == 2
    assert MAX_AGE_S < 60


def test_busy_environment_reads_about_once_a_minute(
    store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    for _ in range(3_600):
        reader.read(URL)
        clock.now += 1
    assert store.reads == -(-3_600 // MAX_AGE_S)


@pytest.mark.parametrize(
    ("age_s", "is_usable"),
    [(MAX_AGE_DURING_FAILURES_S - 1, True), (MAX_AGE_DURING_FAILURES_S, False)],
)
def test_last_snapshot_is_used_for_ten_minutes(
    age_s: int, is_usable: bool, store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    reader.read(URL)
    store.down = True
    clock.now += age_s
    if is_usable:
        assert reader.read(URL) == 1
        return
    with pytest.raises(SnapshotUnavailableError):
        reader.read(URL)
    store.down = False
    clock.now += RETRY_S
    assert reader.read(URL) == 1


def test_failed_read_is_repeated_after_ten_seconds(
    store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    store.down = True
    for moment, reads in ((0, 1), (RETRY_S - 1, 1), (RETRY_S, 2), (RETRY_S + 1, 2)):
        clock.now = NOW + moment
        with pytest.raises(SnapshotUnavailableError):
            reader.read(URL)
        assert store.reads == reads


def assert_counts_as_failed_read(reader: SnapshotReader[int], clock: Clock) -> None:
    """Assert that the reader keeps the content 1, and for ten minutes only."""
    clock.now += MAX_AGE_S
    assert reader.read(URL) == 1
    clock.now += MAX_AGE_DURING_FAILURES_S
    with pytest.raises(SnapshotUnavailableError):
        reader.read(URL)


@pytest.mark.parametrize("data", [b"", b"a.b.c", b"\xff", b"{}"])
def test_unsigned_data_counts_as_failed_read(
    data: bytes, store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    reader.read(URL)
    store.s3.objects["k"] = data
    assert_counts_as_failed_read(reader, clock)


def test_signed_malformed_content_counts_as_failed_read(
    store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    reader.read(URL)
    store.publish("two")
    assert_counts_as_failed_read(reader, clock)


def test_older_snapshot_undoes_nothing(
    store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    older = store.s3.objects["k"]
    store.publish(2)
    assert reader.read(URL) == 2
    store.s3.objects["k"] = older
    clock.now += MAX_AGE_S
    assert reader.read(URL) == 2


def test_clock_that_is_set_back_causes_a_read(
    store: Store, reader: SnapshotReader[int], clock: Clock
) -> None:
    reader.read(URL)
    store.publish(2)
    clock.now -= 100_000
    assert reader.read(URL) == 2


@given(
    st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.booleans()), min_size=1, max_size=40)
)
def test_answer_is_never_older_than_its_bound(steps: list[tuple[int, bool, bool]]) -> None:
    """For any sequence of waits, publications and outages."""
    clock = Clock()
    store = Store(clock)
    reader = reader_of(store, clock)
    published: list[tuple[float, int]] = []

    def publish() -> None:
        published.append((clock(), len(published)))
        store.publish(published[-1][1])

    publish()
    had_outage = False
    for wait, is_published, is_down in steps:
        store.down = is_down
        had_outage |= is_down
        if is_published:
            publish()
        try:
            answer = reader.read(URL)
        except SnapshotUnavailableError:
            assert had_outage
        else:
            # A publication is hidden only if it is newer than the bound.
            replaced = [time for time, number in published if number == answer + 1]
            bound = MAX_AGE_DURING_FAILURES_S if had_outage else MAX_AGE_S
            assert not replaced or clock() - replaced[0] < bound
        clock.now += wait


#: What src/Makefile lists for a function that reads snapshots, beside its own package.
FILES = (
    *("signed_snapshot/__init__.py", "signed_snapshot/reader.py", "edge_auth/__init__.py"),
    *("edge_auth/digest.py", "edge_auth/encoding.py", "edge_auth/errors.py"),
    *("edge_auth/jws.py", "edge_auth/rsa.py"),
)


def test_reader_needs_only_the_files_that_it_names(tmp_path: Path) -> None:
    """The collector can package it without the rest of edge_auth."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "src" / name, tmp_path / name)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import signed_snapshot.reader"
    subprocess.run([sys.executable, "-I", "-c", code, str(tmp_path)], check=True)
    text = (ROOT / "src" / "signed_snapshot" / "reader.py").read_text()
    assert all(f"`{Path(name).name}`" in text for name in FILES if "reader" not in name)
