"""What makes a file a roster, and what a report says of it."""

import csv
import io
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import roster
from stepfunctions.errors import RosterError

HEADER = b"email,name\n"


def test_a_roster_is_known_by_its_content() -> None:
    one, other = roster.inspect(HEADER + b"a@b.c,A\n"), roster.inspect(HEADER + b"a@b.c,B\n")
    assert one.rows == other.rows == 1
    assert one.file_id != other.file_id
    assert one == roster.inspect(HEADER + b"a@b.c,A\n")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"email\na@b.c\n", "columns"),
        (b"email,name,email\n", "columns"),
        (b"email,name,password\n", "columns"),
        (b"\xef\xbb\xbfemail,name\n", "byte order mark"),
        ("email,name\nü,ü\n".encode("latin-1"), "UTF-8"),
        (HEADER + b'a,"b\n', "quote"),
        (HEADER + b"a,b\n\nc,d\n", "empty line"),
    ],
)
def test_what_is_no_roster(content: bytes, word: str) -> None:
    with pytest.raises(RosterError, match=word):
        roster.inspect(content)


@pytest.mark.parametrize(("more", "legal"), [(0, True), (1, False)])
def test_rows_and_bytes_are_bounded(
    monkeypatch: pytest.MonkeyPatch, more: int, legal: bool
) -> None:
    monkeypatch.setattr(roster, "MOST_ROWS", 3)
    rows = HEADER + b"a,b\n" * (3 + more)
    monkeypatch.setattr(roster, "MOST_BYTES", 1_000)
    large = HEADER + b"a," + b"b" * (1_000 + more - len(HEADER) - 2)
    for content in (rows, large):
        if legal:
            assert roster.inspect(content).rows >= 1
        else:
            with pytest.raises(RosterError):
                roster.inspect(content)


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 50_000))
def test_a_rows_id_is_a_uuid_of_its_own(file_id: str, index: int) -> None:
    found = roster.request_id(file_id, index)
    assert str(uuid.UUID(found)) == found
    assert uuid.UUID(found).version == 8
    assert found != roster.request_id(file_id, index + 1)


def test_a_report_has_a_line_for_every_row_and_every_reason() -> None:
    reason = {"code": "invalid", "field": "email", "message": "No, it is not."}
    found: dict[str, dict[str, Any]] = {
        roster.request_id("f", 0): {"status": "created", "reasons": []},
        roster.request_id("f", 1): {"status": "rejected", "reasons": [reason, reason]},
    }
    lines = list(csv.reader(io.StringIO(roster.report(3, "f", found), newline="")))
    assert lines[0] == list(roster.REPORT_COLUMNS)
    assert [line[:2] for line in lines[1:]] == [
        ["1", "created"],
        ["2", "rejected"],
        ["2", "rejected"],
        ["3", "failed"],
    ]
    assert lines[2][2:] == ["invalid", "email", "No, it is not."]


def test_outcomes_are_counted() -> None:
    totals = roster.count(["created", "created", "rejected", "pending"])
    assert totals == {"created": 2, "rejected": 1, "failed": 0, "pending": 1}
