"""Publishing a snapshot: signed, conditional, and readable by the edge."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth.errors import SignatureError, TokenError, UnknownKeyError
from edge_auth.jwks import parse_moduli, public_keys
from edge_auth.rsa_backend import select_backend
from signed_snapshot.errors import SnapshotConflictError, SnapshotStoreError
from signed_snapshot.publisher import ATTEMPTS, Publisher
from signed_snapshot.reader import open_snapshot
from tests import strategies
from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3, refused

KEY = "public/snapshots/people"
NOW = 1_790_000_000


def create(s3: FakeS3, kms: FakeKms | None = None, name: str = "people") -> Publisher:
    return Publisher(s3, kms or FakeKms(), bucket="b", key=KEY, name=name, key_id="key-1")


def opened(s3: FakeS3, publisher: Publisher, name: str = "people") -> tuple[float, dict[str, Any]]:
    keys = public_keys(parse_moduli(publisher.public_keys()), select_backend())
    return open_snapshot(s3.objects[KEY], name, keys)


def added(number: int) -> Any:
    return lambda content: {**content, str(number): number}


@given(st.dictionaries(st.text(max_size=9), strategies.json_values(), max_size=4))
def test_reader_opens_signed_snapshot(content: dict[str, Any]) -> None:
    s3 = FakeS3()
    publisher = create(s3)
    assert publisher.update(lambda _: content, NOW) == content
    assert opened(s3, publisher) == (NOW, content)
    assert s3.metadata["CacheControl"] == "no-store"


def test_changes_of_two_writers_are_both_kept() -> None:
    s3, other = FakeS3(), FakeS3()
    publisher = create(s3)
    publisher.update(added(1), NOW)
    other.objects = dict(s3.objects)
    create(other).update(added(2), NOW)
    s3.others = [other.objects[KEY]]
    publisher.update(added(3), NOW)
    assert opened(s3, publisher)[1] == {"1": 1, "2": 2, "3": 3}


def test_first_snapshots_of_two_writers_are_both_kept() -> None:
    s3, other = FakeS3(), FakeS3()
    create(other).update(added(1), NOW)
    s3.others = [other.objects[KEY]]
    publisher = create(s3)
    publisher.update(added(2), NOW)
    assert opened(s3, publisher)[1] == {"1": 1, "2": 2}


def test_writer_gives_up_after_several_conflicts() -> None:
    s3, other = FakeS3(), FakeS3()
    publisher = create(s3)
    publisher.update(added(0), NOW)
    create(other).update(added(-1), NOW)
    for number in range(1, ATTEMPTS + 1):
        create(other).update(added(number), NOW)
        s3.others.append(other.objects[KEY])
    with pytest.raises(SnapshotConflictError):
        publisher.update(added(9), NOW)


def test_issue_time_increases_with_each_change() -> None:
    """A reader refuses an older snapshot, also if two changes have the same second."""
    s3 = FakeS3()
    publisher = create(s3)
    times = []
    for now in (NOW, NOW, NOW - 50, NOW + 9):
        publisher.update(added(now), now)
        times.append(opened(s3, publisher)[0])
    assert times == [NOW, NOW + 1, NOW + 2, NOW + 9]


@pytest.mark.parametrize("data", [b"", b"x", b"a.b.c", b"a.bnVsbA.c", b"a.W10.c", b"a.e30.c"])
def test_other_object_is_not_replaced(data: bytes) -> None:
    s3 = FakeS3()
    s3.objects[KEY] = data
    with pytest.raises(SnapshotStoreError, match="isn't a snapshot"):
        create(s3).update(added(1), NOW)
    assert s3.objects[KEY] == data


def test_refused_call_names_snapshot_and_keeps_it() -> None:
    s3 = FakeS3()
    create(s3).update(added(1), NOW)
    before = dict(s3.objects)
    s3.failure = refused("AccessDenied", 403)
    with pytest.raises(SnapshotStoreError, match="people"):
        create(s3).update(added(2), NOW)
    assert s3.objects == before


def test_key_of_another_size_is_refused() -> None:
    with pytest.raises(SnapshotStoreError, match="RSA_2048"):
        create(FakeS3(), FakeKms("large", 4_096)).public_keys()


def test_deleted_snapshot_is_gone() -> None:
    s3 = FakeS3()
    publisher = create(s3)
    publisher.update(added(1), NOW)
    publisher.delete()
    assert s3.objects == {}


# --- what the reader refuses


@pytest.fixture(scope="module")
def snapshot() -> bytes:
    s3 = FakeS3()
    create(s3).update(lambda _: {"a": 1}, NOW)
    return s3.objects[KEY]


def test_snapshot_of_another_name_or_key_is_refused(snapshot: bytes) -> None:
    publisher = create(FakeS3())
    keys = public_keys(parse_moduli(publisher.public_keys()), select_backend())
    with pytest.raises(TokenError):
        open_snapshot(snapshot, "sources", keys)
    with pytest.raises(UnknownKeyError):
        open_snapshot(snapshot, "people", {})
    foreign = create(FakeS3(), FakeKms("foreign")).public_keys()
    with pytest.raises(SignatureError):
        open_snapshot(snapshot, "people", public_keys(parse_moduli(foreign), select_backend()))


@given(st.integers(0, 2_000), st.integers(0, 255))
def test_changed_snapshot_is_refused(snapshot: bytes, position: int, value: int) -> None:
    changed = bytearray(snapshot)
    changed[position % len(changed)] = value
    keys = public_keys(parse_moduli(create(FakeS3()).public_keys()), select_backend())
    if bytes(changed).strip() == snapshot:
        assert open_snapshot(bytes(changed), "people", keys) == (NOW, {"a": 1})
        return
    with pytest.raises(TokenError):
        open_snapshot(bytes(changed), "people", keys)


def test_snapshot_is_a_jws() -> None:
    """PyJWT accepts it, too."""
    import jwt

    s3 = FakeS3()
    publisher = create(s3)
    publisher.update(lambda _: {"a": 1}, NOW)
    key = jwt.PyJWK(publisher.public_keys()["keys"][0])
    data = jwt.decode(s3.objects[KEY], key, algorithms=["RS256"])
    assert data == {"name": "people", "issued_at": NOW, "content": {"a": 1}}
    assert json.loads(json.dumps(publisher.public_keys())) == publisher.public_keys()
