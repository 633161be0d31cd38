"""The rosters of an erasure: those with the address are deleted after their import."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepfunctions import roster
from stepfunctions.person_rosters import MAX_IMPORT, PAGE, PersonRosters, Position
from tests.unit.stepfunctions.fakes import client_error

NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
EMAIL: Final = "anna@example.com"


class Bucket:
    """An S3 client with objects by key: content, and when it was written."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.page_size = 2
        self.reads = 0

    def put(self, key: str, content: bytes, minutes_ago: float = 60) -> None:
        self.objects[key] = (content, NOW - timedelta(minutes=minutes_ago))

    def list_objects_v2(self, **query: Any) -> Any:
        after = query.get("StartAfter", "")
        keys = sorted(it for it in self.objects if it.startswith(query["Prefix"]) and it > after)
        size = min(query["MaxKeys"], self.page_size)
        return {
            "Contents": [{"Key": it, "LastModified": self.objects[it][1]} for it in keys[:size]],
            "IsTruncated": len(keys) > size,
        }

    def get_object(self, **query: Any) -> Any:
        self.reads += 1
        if query["Key"] not in self.objects:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[query["Key"]][0])}

    def delete_object(self, **query: Any) -> None:
        self.objects.pop(query["Key"], None)


def erase(bucket: Bucket, now: datetime = NOW) -> tuple[int, int]:
    """Erase EMAIL by pages; return the lists that are deleted, and those that are left."""
    rosters, deleted, position = PersonRosters("b", bucket), 0, Position()
    while True:
        before = bucket.reads
        page = rosters.erase(EMAIL, now, position)
        assert bucket.reads - before <= PAGE
        deleted += page.deleted
        if page.following is None:
            return deleted, page.importing
        # The workflow stores it as JSON.
        position = Position(*json.loads(json.dumps(page.following)))


def upload(bucket: Bucket, name: str, content: bytes, minutes_ago: float = 60) -> None:
    """Put an upload, its copy and its report, as the import leaves them."""
    bucket.put(f"rosters/{name}.csv", content, minutes_ago)
    valid = roster.parse(content)
    bucket.put(roster.copy_key(valid.file_id), valid.text.encode(), minutes_ago)
    bucket.put(f"reports/{name}.csv", b"row,status", minutes_ago)


@pytest.mark.parametrize(
    "content",
    [
        b"email,name\nanna@example.com,Anna\nbo@example.com,Bo\n",
        b"name;email\nBo;bo@example.com\nAnna; ANNA@Example.com\n",
        "email\tname\nanna@example.com\tĀnna\n".encode("utf-16"),
        "email,name\nanna\uff20example.com,Anna\n".encode(),
    ],
)
def test_lists_with_any_form_of_the_address_are_deleted(content: bytes) -> None:
    bucket = Bucket()
    upload(bucket, "autumn", content)
    upload(bucket, "spring", b"email,name\nbo@example.com,Bo\n")
    upload(bucket, "other", b"email,name\njoanna@example.com,J\nanna@example.com.au,A\n")
    others = {it for it in bucket.objects if "spring" in it or "other" in it}
    assert erase(bucket) == (2, 0)
    left = set(bucket.objects)
    assert others <= left
    # The report repeats no cell.
    assert "reports/autumn.csv" in left
    assert "rosters/autumn.csv" not in left
    assert len([it for it in left if it.startswith("read/")]) == 2
    assert erase(bucket) == (0, 0)


def test_list_that_is_being_imported_is_left_until_its_report() -> None:
    bucket = Bucket()
    content = b"email,name\nanna@example.com,Anna\n"
    upload(bucket, "autumn", content)
    # Uploaded again: the report is that of the former upload.
    bucket.put("rosters/autumn.csv", content, 5)
    assert erase(bucket) == (0, 1)
    assert len(bucket.objects) == 3
    assert erase(bucket, NOW + MAX_IMPORT) == (2, 0)


def test_broken_list_with_the_address_is_deleted() -> None:
    bucket = Bucket()
    bucket.put("rosters/broken.csv", b'email,"name\nanna@example.com,\xff', 0)
    bucket.put("reports/broken.csv", b"", 0)
    assert erase(bucket) == (1, 0)


@example(b"0")
@example(b'"a"\n[]')
@example(b'{"email": 5}\n{}')
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_other_content_stays(content: bytes) -> None:
    bucket = Bucket()
    bucket.put("rosters/any.csv", content)
    bucket.put("reports/any.csv", b"", 0)
    assert erase(bucket) == (0, 0)


@given(
    st.lists(st.sampled_from(["with", "without", "importing"]), max_size=3 * PAGE),
    st.integers(1, PAGE),
)
def test_pages_of_any_size_delete_the_same_lists(kinds: list[str], page_size: int) -> None:
    """One step of the workflow reads at most a page, however many lists a school has uploaded."""
    bucket = Bucket()
    bucket.page_size = page_size
    for number, kind in enumerate(kinds):
        email = "bo@example.com" if kind == "without" else EMAIL
        bucket.put(f"rosters/{number:03}.csv", f"email,name\n{email},A\n".encode())
        if kind != "importing":
            bucket.put(f"reports/{number:03}.csv", b"")
    for number, kind in enumerate(kinds):
        if kind == "with":
            bucket.put(f"read/{number:03}.jsonl", f'{{"email": "{EMAIL}"}}'.encode())
    importing, own = kinds.count("importing"), kinds.count("with")
    assert erase(bucket) == (own if importing else 2 * own, importing)
    left = {it for it in bucket.objects if it.startswith("rosters/")}
    assert len(left) == len(kinds) - own


@given(st.integers(0, 2 * PAGE), st.integers(1, PAGE))
def test_rows_of_the_address_are_read_page_by_page(lists: int, page_size: int) -> None:
    bucket = Bucket()
    bucket.page_size = page_size
    for number in range(lists):
        text = f'{{"email": "{EMAIL}", "name": "{number}"}}\n{{"email": "bo@example.com"}}\n'
        bucket.put(f"read/{number:03}.jsonl", text.encode())
    rosters, names, after = PersonRosters("b", bucket), [], ""
    while True:
        before = bucket.reads
        rows, after = rosters.rows(EMAIL, after)
        assert bucket.reads - before <= PAGE
        names += [it["name"] for it in rows]
        if not after:
            break
    assert names == [str(it) for it in range(lists)]
