"""Rosters in the office: names, progress and reports."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from office.errors import RosterInvalidError, UnavailableError, UnknownRosterError
from office.roster_storage import RosterStorage
from office.rosters import MAX_LINES, PAGE, SAMPLE, Report, Rosters, Upload
from stepfunctions import roster
from stepfunctions.errors import RosterError

NAME = "autumn-2026"
AT_MS = 1_790_000_000_000


@dataclass
class FakeStorage:
    """A bucket, and the requests of the rows."""

    objects: dict[str, Upload] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    contents: list[bytes] = field(default_factory=list)
    calls: int = 0

    def put(self, name: str, content: bytes, file_id: str, by: str) -> None:
        assert by == "staff-1"
        self.contents.append(content)
        self.objects[name] = Upload(name, AT_MS + len(self.contents), file_id)

    def uploads(self) -> list[Upload]:
        return list(self.objects.values())

    def upload(self, name: str) -> Upload | None:
        self.calls += 1
        return self.objects.get(name)

    def rows(self, file_id: str) -> int:
        return self.copies.get(file_id, 0)

    def report(self, name: str) -> Report | None:
        return self.reports.get(name)

    def statuses(self, request_ids: Sequence[str]) -> Mapping[str, str]:
        assert len(set(request_ids)) == len(request_ids) <= SAMPLE
        return {it: self.requests[it] for it in request_ids if it in self.requests}


def upload(storage: FakeStorage, content: bytes, name: str = NAME) -> dict[str, Any]:
    return Rosters(storage).upload(name, base64.b64encode(content).decode(), "staff-1")


def test_upload_stores_the_file_and_is_being_read() -> None:
    storage = FakeStorage()
    answer = upload(storage, b"email,name")
    assert storage.contents == [b"email,name"]
    assert storage.objects[NAME].file_id == hashlib.sha256(b"email,name").hexdigest()
    assert (answer["state"], answer["rows"], answer["lines"]) == ("reading", 0, [])


@given(st.text())
def test_content_that_is_no_base64_is_refused_or_decoded(text: str) -> None:
    storage = FakeStorage()
    try:
        Rosters(storage).upload(NAME, text, "staff-1")
    except RosterInvalidError:
        assert storage.contents == []
    else:
        assert base64.b64encode(storage.contents[0]).decode() == text


@given(st.text())
def test_other_names_are_unknown_without_a_call(text: str) -> None:
    storage = FakeStorage()
    if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
        return
    with pytest.raises(UnknownRosterError):
        Rosters(storage).read(text)
    with pytest.raises(UnknownRosterError):
        upload(storage, b"x", text)
    assert (storage.calls, storage.contents) == (0, [])


def test_name_without_an_upload_is_unknown() -> None:
    with pytest.raises(UnknownRosterError):
        Rosters(FakeStorage()).read(NAME)


@pytest.mark.slow
@given(st.integers(1, 5_000), st.data())
def test_progress_is_exact_for_few_rows_and_close_for_many(rows: int, data: Any) -> None:
    storage = FakeStorage()
    upload(storage, b"email,name")
    file_id = storage.objects[NAME].file_id
    storage.copies[file_id] = rows
    decided = data.draw(st.integers(0, rows))
    for index in range(rows):
        status = "created" if index < decided else data.draw(st.just("pending"))
        storage.requests[roster.request_id(file_id, index)] = status
    answer = Rosters(storage).read(NAME)
    assert (answer["state"], answer["rows"]) == ("importing", rows)
    assert 0 <= answer["decided"] <= rows
    # One of the sampled rows stands for so many.
    assert abs(answer["decided"] - decided) <= (0 if rows <= SAMPLE else -(-rows // SAMPLE))


_reasons = st.lists(
    st.fixed_dictionaries(
        {
            "code": st.sampled_from(["taken", "invalid"]),
            "field": st.just("email"),
            "message": st.text(),
        }
    ),
    max_size=2,
)
_outcomes = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["created", "rejected", "updated", "failed", "pending"]),
        "reasons": _reasons,
    }
)


@given(st.lists(st.none() | _outcomes, min_size=1, max_size=30), st.lists(st.integers(2, 99)))
def test_report_is_read_back_row_by_row(outcomes: list[Any], left: list[int]) -> None:
    storage = FakeStorage()
    upload(storage, b"email,name")
    file_id = storage.objects[NAME].file_id
    known = {roster.request_id(file_id, i): it for i, it in enumerate(outcomes) if it is not None}
    text = roster.report(len(outcomes), file_id, known, left_rows=left)
    storage.reports[NAME] = Report(AT_MS + 1, text)
    answer = Rosters(storage).read(NAME)
    statuses = [roster.row_status(it) for it in outcomes] + ["left" for _ in left]
    totals = {name: number for name, number in roster.count(statuses).items() if number}
    assert (answer["state"], answer["rows"], answer["counts"]) == ("done", len(outcomes), totals)
    told = {int(it["row"]) - roster.FIRST_ROW for it in answer["lines"] if it["row"]}
    assert told == {i for i, it in enumerate(statuses[: len(outcomes)]) if it != "created"}


def test_long_report_is_cut() -> None:
    storage = FakeStorage()
    upload(storage, b"email,name")
    text = roster.report(MAX_LINES + 7, "f1", {})
    storage.reports[NAME] = Report(AT_MS + 1, text)
    answer = Rosters(storage).read(NAME)
    assert (len(answer["lines"]), answer["more"]) == (MAX_LINES, 7)


def test_refused_file_tells_why() -> None:
    storage = FakeStorage()
    upload(storage, b"email,name")
    reason = RosterError("The file isn't valid CSV: row 3 has a misplaced or unclosed quote.")
    storage.reports[NAME] = Report(AT_MS + 1, roster.rejection_report(reason))
    answer = Rosters(storage).read(NAME)
    assert (answer["state"], answer["message"]) == ("refused", str(reason))


def test_report_of_an_earlier_list_of_the_name_is_not_shown() -> None:
    storage = FakeStorage()
    storage.reports[NAME] = Report(AT_MS, roster.report(1, "f1", {}))
    assert upload(storage, b"email,name")["state"] == "reading"


def test_list_has_the_newest_uploads() -> None:
    storage = FakeStorage()
    for number in range(PAGE + 3):
        upload(storage, b"x", f"list-{number}")
    storage.objects["a/b"] = Upload("a/b", AT_MS * 2)
    answer = Rosters(storage).list()
    assert [it["name"] for it in answer["rosters"]] == [
        f"list-{it}" for it in range(PAGE + 2, 2, -1)
    ]
    assert answer["more"]


class S3:
    """Answers each HEAD and GET with an error's code, or with the metadata of a copy."""

    def __init__(self, code: str) -> None:
        self.code = code

    def head_object(self, **_: str) -> Any:
        if self.code:
            raise ClientError({"Error": {"Code": self.code}}, "HeadObject")
        return {
            "LastModified": datetime.fromtimestamp(AT_MS / 1000, UTC),
            "Metadata": {"rows": "7"},
        }

    get_object = head_object


def test_only_a_missing_object_is_none() -> None:
    assert RosterStorage(S3(""), None, "b", "t").rows("f1") == 7
    assert RosterStorage(S3("404"), None, "b", "t").rows("f1") == 0
    assert RosterStorage(S3("404"), None, "b", "t").upload(NAME) is None
    assert RosterStorage(S3(""), None, "b", "t").upload(NAME) == Upload(NAME, AT_MS, "")
    assert RosterStorage(S3("NoSuchKey"), None, "b", "t").report(NAME) is None
    for code in ("403", "503"):
        with pytest.raises(UnavailableError):
            RosterStorage(S3(code), None, "b", "t").report(NAME)
