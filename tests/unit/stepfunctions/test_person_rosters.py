"""The rosters of an erasure: those with the address are deleted after their import."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepfunctions import roster
from stepfunctions.person_rosters import MAX_IMPORT, PersonRosters
from tests.unit.stepfunctions.fakes import client_error

NOW: Final = datetime(2026, 11, 28, 12, tzinfo=UTC)
EMAIL: Final = "anna@example.com"


class Bucket:
    """An S3 client with objects by key: content, and when it was written."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}

    def put(self, key: str, content: bytes, minutes_ago: float = 60) -> None:
        self.objects[key] = (content, NOW - timedelta(minutes=minutes_ago))

    def list_objects_v2(self, **query: Any) -> Any:
        after = query.get("ContinuationToken", "")
        keys = sorted(it for it in self.objects if it.startswith(query["Prefix"]) and it > after)
        page: dict[str, Any] = {
            "Contents": [{"Key": it, "LastModified": self.objects[it][1]} for it in keys[:2]]
        }
        if len(keys) > 2:
            page |= {"IsTruncated": True, "NextContinuationToken": keys[1]}
        return page

    def get_object(self, **query: Any) -> Any:
        if query["Key"] not in self.objects:
            raise client_error("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[query["Key"]][0])}

    def delete_object(self, **query: Any) -> None:
        self.objects.pop(query["Key"], None)


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
    assert PersonRosters("b", bucket).erase(EMAIL, NOW) == (2, 0)
    left = set(bucket.objects)
    assert others <= left
    # The report repeats no cell.
    assert "reports/autumn.csv" in left
    assert "rosters/autumn.csv" not in left
    assert len([it for it in left if it.startswith("read/")]) == 2
    assert PersonRosters("b", bucket).erase(EMAIL, NOW) == (0, 0)


def test_list_that_is_being_imported_is_left_until_its_report() -> None:
    bucket = Bucket()
    content = b"email,name\nanna@example.com,Anna\n"
    upload(bucket, "autumn", content)
    # Uploaded again: the report is that of the former upload.
    bucket.put("rosters/autumn.csv", content, 5)
    rosters = PersonRosters("b", bucket)
    assert rosters.erase(EMAIL, NOW) == (0, 1)
    assert len(bucket.objects) == 3
    assert rosters.erase(EMAIL, NOW + MAX_IMPORT) == (2, 0)


def test_broken_list_with_the_address_is_deleted() -> None:
    bucket = Bucket()
    bucket.put("rosters/broken.csv", b'email,"name\nanna@example.com,\xff', 0)
    bucket.put("reports/broken.csv", b"", 0)
    assert PersonRosters("b", bucket).erase(EMAIL, NOW) == (1, 0)


@example(b"0")
@example(b'"a"\n[]')
@example(b'{"email": 5}\n{}')
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_other_content_stays(content: bytes) -> None:
    bucket = Bucket()
    bucket.put("rosters/any.csv", content)
    bucket.put("reports/any.csv", b"", 0)
    assert PersonRosters("b", bucket).erase(EMAIL, NOW) == (0, 0)
