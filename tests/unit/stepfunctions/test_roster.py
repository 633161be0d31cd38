"""Validation and normalization of rosters, and the text of their reports."""

import csv
import io
import json
import re
import unicodedata
import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepfunctions import email_address, roster
from stepfunctions.errors import RosterError

HEADER = b"email,name\n"
#: White space and invisible characters at both ends of a cell.
_AROUND_TEXT = re.compile(rf"\A[\s{roster.INVISIBLE}]+|[\s{roster.INVISIBLE}]+\Z")


def test_file_id_depends_on_content_only() -> None:
    one, other = roster.parse(HEADER + b"a@b.c,A\n"), roster.parse(HEADER + b"a@b.c,B\n")
    assert one.rows == other.rows == 1
    assert one.file_id != other.file_id
    assert one == roster.parse(HEADER + b"a@b.c,A\n")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (HEADER, "no student"),
        (HEADER + b"\n,\n", "no student"),
        (b"email\na@b.c\n", "columns"),
        (b"email,name,email\n", "columns"),
        (b"email,name,password\n", "columns"),
        (b"address,name\n", "columns"),
        (b"email,name,e-mail address\n", "columns"),
        ("email,name\nü,ü\n".encode("latin-1"), "Line 2 .* UTF-8"),
        (b"\xff\xfe", "empty"),
        (b"\xff\xfea", "UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00", "text file"),
        (HEADER + b'a,"b\n', "row 2 has a .* quote"),
        (HEADER + b"a," + b"b" * 131_073 + b"\n", "row 2 has .* more than 131,072 characters"),
        (HEADER + b'a,b\nc,"d"e\n', "row 3 has a .* quote"),
    ],
)
def test_parse_rejects_invalid_file(content: bytes, word: str) -> None:
    with pytest.raises(RosterError, match=word):
        roster.parse(content)


PLAIN = '{"email": "a@b.c", "name": "Anna"}\n'


def read(parsed: roster.Roster) -> list[dict[str, str]]:
    """Return the rows that the state machine reads."""
    lines: list[dict[str, str]] = [json.loads(line) for line in parsed.text.splitlines()]
    return lines


@pytest.mark.parametrize(
    "content",
    [
        b"email,name\na@b.c,Anna",
        b"email,name\r\na@b.c,Anna\r\n",
        b"email,name\ra@b.c,Anna\r",
        b"\xef\xbb\xbfemail,name\r\na@b.c,Anna\r\n",
        b'"email";"name"\r\na@b.c;Anna\r\n',
        b"email\tname\na@b.c\tAnna\n",
        b" Email ,NAME\na@b.c,Anna\n",
        b"E-mail address,Full name\na@b.c,Anna\n",
        b"sep=;\r\nemail;name\r\na@b.c;Anna\r\n",
        b"SEP=\t\r\nemail\tname\r\na@b.c\tAnna\r\n",
        "email,name\n\u00a0a@b.c\u00a0\u200b,\u2003Anna \n".encode(),
        "email,name\na@b.c,Anna\n".encode("utf-16"),
        b"\xfe\xff" + "email\tname\r\na@b.c\tAnna\r\n".encode("utf-16-be"),
        b"email,name\na@b.c,Anna\n,\n\n \n",
        # A spreadsheet writes a rectangle: columns that were cleared leave their delimiters.
        b"email,name,,\na@b.c,Anna,,\n,,,\n",
        "email;name; \na@b.c;Anna;\u00a0;\n".encode(),
        "ईमेल,नाम\na@b.c,Anna\n".encode(),
        "ई-मेल पता,पूरा नाम\na@b.c,Anna\n".encode(),
        "Địa chỉ email,Họ và tên\na@b.c,Anna\n".encode(),
        unicodedata.normalize("NFD", "Thư điện tử;Họ tên\na@b.c;Anna\n").encode(),
    ],
)
def test_parse_normalizes_spreadsheet_variants(content: bytes) -> None:
    parsed = roster.parse(content)
    assert (parsed.text, parsed.rows) == (PLAIN, 1)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("email,name,phone", "Column C has another title"),
        (",email,name", "Column A has another title"),
        ("no,email,name,a,b", "Columns A, D, E have another title"),
        ("email,name,,class", "Columns C, D have another title"),
        ("email,name,mail", "Columns A, C are both email"),
        ("name,email,dob,Birthday", "Columns C, D are both dateOfBirth"),
        ("name,class", "Column email is missing"),
        ("email", "Column name is missing"),
        (",".join(["email", "name", *("x" for _ in range(26))]), "Z, AA, AB have another title"),
    ],
)
def test_refused_header_names_the_columns_as_a_spreadsheet_does(header: str, message: str) -> None:
    """Without quoting the file: a title can be a student, if the first row is missing."""
    with pytest.raises(RosterError, match=message) as refusal:
        roster.parse(f"{header}\na@b.c,Anna\n".encode())
    assert "The first row must contain the columns email, name." in str(refusal.value)
    assert "phone" not in str(refusal.value)


def test_titles_of_the_portal_languages_are_known() -> None:
    for title, name in (
        *(("जन्म तिथि", "dateOfBirth"), ("पाठ्यक्रम", "programme"), ("भाषा", "locale")),
        *(("Ngày sinh", "dateOfBirth"), ("Chương trình", "programme"), ("Ngôn ngữ", "locale")),
        *(
            ("Date of Birth", "dateOfBirth"),
            ("date_of_birth", "dateOfBirth"),
            ("Course", "programme"),
        ),
    ):
        parsed = roster.parse(f"email,name,{title}\na@b.c,Anna,x\n".encode())
        assert read(parsed) == [{"email": "a@b.c", "name": "Anna", name: "x"}]


def test_parse_keeps_row_positions() -> None:
    content = HEADER + b'a@b.c,"A\nB, C"\n\nonly\none,too,many\nd@e.f,"=1+1"\n'
    parsed = roster.parse(content)
    assert read(parsed) == [
        {"email": "a@b.c", "name": "A\nB, C"},
        {},
        {"email": "only"},
        {"fault": "cells"},
        {"email": "d@e.f", "name": "=1+1"},
    ]
    assert parsed.rows == 5


def test_second_row_with_an_address_is_left_out_and_names_the_first() -> None:
    """Otherwise the import would change the first student's data to those of a sister."""
    rows = b"a@b.c,Anna\nno address,Bo\n\xc2\xa0A@B.C,Bea\nno address,Cy\na@b.c,Anna\nd@e.f,Di\n"
    parsed = roster.parse(HEADER + rows)
    assert [it.get("name", it.get("row")) for it in read(parsed)] == [
        "Anna",
        "Bo",
        2,
        "Cy",
        2,
        "Di",
    ]
    assert sorted(roster.faults(parsed.text)) == [2, 4]
    rejected = {"code": "missing", "field": "email", "message": "Email address is required."}
    outcomes: dict[str, dict[str, Any]] = {
        roster.request_id("f", index): {"status": "rejected", "reasons": [rejected, rejected]}
        for index in range(1, 5)
    }
    outcomes[roster.request_id("f", 0)] = {"status": "created", "reasons": []}
    text = roster.report(5, "f", outcomes, parsed.text)
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(it["row"], it["code"]) for it in lines] == [
        ("2", ""),
        *[("3", "missing")] * 2,
        ("4", "repeated"),
        *[("5", "missing")] * 2,
        ("6", "repeated"),
    ]
    assert lines[3]["message"].startswith("Row 2 has the same email address")


@given(st.lists(st.sampled_from(["a@b.c", "A@B.C", "\uff41@b.c", "d@e.f", "x", ""]), max_size=8))
def test_copy_has_each_address_once_at_its_first_row(cells: list[str]) -> None:
    text = roster.parse(HEADER + "".join(f"{it},Anna\n" for it in [*cells, "z@b.c"]).encode()).text
    addresses = roster.addresses(text)
    known = [it for it in addresses if it is not None]
    assert len(known) == len(set(known))
    expected = [email_address.normalize(it) for it in [*cells, "z@b.c"]]
    assert set(known) == {it for it in expected if it is not None}
    for index, address in enumerate(expected):
        is_first = address is None or expected.index(address) == index
        assert (index in roster.faults(text)) is not is_first


def test_row_with_too_many_cells_has_its_own_reason() -> None:
    parsed = roster.parse(HEADER + b"a@b.c,Smith, Ann\n")
    reason = {"code": "missing", "field": "email", "message": "Email address is required."}
    outcomes = {roster.request_id("f", 0): {"status": "rejected", "reasons": [reason]}}
    text = roster.report(1, "f", outcomes, parsed.text)
    (line,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (line["status"], line["code"]) == ("rejected", "cells")
    assert "more cells than the first row" in line["message"]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=8))
@example([("ann@app.example", "Anna\\Maria"), ("dan@app.example", "Dan\\")])
@example([("bob@app.example", 'Smith, Bob\\"'), ("SCHOOL\\lee@app.example", '"Lee"')])
@example([("ann@app.example", "one\u2028two\x85three")])
def test_state_machine_reads_text_of_any_cell(rows: list[tuple[str, str]]) -> None:
    clean = [[cell.replace("\0", "") for cell in row] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("email", "name"), *clean])
    try:
        content = text.getvalue().encode()
    except UnicodeEncodeError:
        return  # a lone surrogate can't be encoded
    expected = [[_AROUND_TEXT.sub("", cell) for cell in row] for row in clean]
    if not any(map(any, expected)):
        with pytest.raises(RosterError, match="no student"):
            roster.parse(content)
        return
    parsed = roster.parse(content)
    assert parsed.text.isascii()
    cells = [[row.get("email", ""), row.get("name", "")] for row in read(parsed)]
    assert cells == expected[: len(cells)]
    assert not any(map(any, expected[len(cells) :]))


def test_parse_shortens_cell_to_item_size() -> None:
    """Step Functions limits an item to 256 KiB; the workflow rejects the long name."""
    (row,) = read(roster.parse(HEADER + b"a@b.c," + b"x" * 100_000 + b"\n"))
    assert row == {"email": "a@b.c", "name": "x" * roster.MAX_CELL_CHARS}


@pytest.mark.parametrize(("excess", "valid"), [(0, True), (1, False)])
def test_parse_limits_rows_and_bytes(
    monkeypatch: pytest.MonkeyPatch, excess: int, valid: bool
) -> None:
    monkeypatch.setattr(roster, "MAX_ROWS", 3)
    rows = HEADER + b"a,b\n" * (3 + excess)
    monkeypatch.setattr(roster, "MAX_BYTES", 1_000)
    large = HEADER + b"a," + b"b" * (1_000 + excess - len(HEADER) - 2)
    for content in (rows, large):
        if valid:
            assert roster.parse(content).rows >= 1
        else:
            with pytest.raises(RosterError):
                roster.parse(content)


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 50_000))
def test_request_id_is_unique_uuid_of_version_8(file_id: str, index: int) -> None:
    identifier = roster.request_id(file_id, index)
    assert str(uuid.UUID(identifier)) == identifier
    assert uuid.UUID(identifier).version == 8
    assert identifier != roster.request_id(file_id, index + 1)


def test_report_has_line_for_every_row_and_reason() -> None:
    reason = {"code": "invalid", "field": "email", "message": "Not valid."}
    lines_by_id: dict[str, dict[str, Any]] = {
        roster.request_id("f", 0): {"status": "created", "reasons": []},
        roster.request_id("f", 1): {"status": "rejected", "reasons": [reason, reason]},
        roster.request_id("f", 3): {"status": "pending", "reasons": []},
    }
    lines = list(csv.reader(io.StringIO(roster.report(4, "f", lines_by_id), newline="")))
    assert lines[0] == list(roster.REPORT_COLUMNS)
    # Spreadsheet numbers: the header is row 1.
    assert [line[:3] for line in lines[1:]] == [
        ["2", "created", ""],
        ["3", "rejected", "invalid"],
        ["3", "rejected", "invalid"],
        ["4", "failed", "not_taken"],
        ["5", "pending", "pending"],
    ]
    assert lines[2][2:] == ["invalid", "email", "Not valid."]
    assert all(line[4] for line in lines[2:])


def test_report_says_that_address_exists_only_without_other_reasons() -> None:
    taken = {"code": "taken", "field": "email", "message": "Taken."}
    invalid = {"code": "invalid", "field": "name", "message": "Invalid."}
    lines_by_id: dict[str, dict[str, Any]] = {
        roster.request_id("f", 0): {"status": "rejected", "reasons": [taken]},
        roster.request_id("f", 1): {"status": "rejected", "reasons": [invalid, taken]},
        roster.request_id("f", 2): {"status": "updated", "reasons": []},
    }
    text = roster.report(3, "f", lines_by_id, left_rows=[7])
    lines = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [tuple(line[:3]) for line in lines] == [
        ("2", "exists", "exists"),
        ("3", "rejected", "invalid"),
        ("3", "rejected", "taken"),
        ("4", "updated", "updated"),
        ("", "left", "left"),
    ]


def test_rejection_report_has_one_line_with_reason() -> None:
    error = RosterError("One, two, and “three”.")
    (line,) = csv.DictReader(io.StringIO(roster.rejection_report(error), newline=""))
    assert line == {
        "row": "",
        "status": "refused",
        "code": "file",
        "field": "",
        "message": "One, two, and “three”.",
    }


def test_count_includes_zeros() -> None:
    totals = roster.count(["created", "created", "rejected", "pending"])
    zeros = dict.fromkeys(("exists", "updated", "failed", "left"), 0)
    assert totals == {"created": 2, "rejected": 1, "pending": 1, **zeros}
