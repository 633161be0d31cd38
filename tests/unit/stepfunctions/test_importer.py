"""ImportFunction: validation of an uploaded file, and the report after the import."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import (
    importer,
)
from stepfunctions.accounts import Accounts
from stepfunctions.roster import parse, report_key, request_id
from tests.unit.stepfunctions.fakes import Table


class S3:
    """A bucket; `content` is the content of every upload, `put` holds the written objects."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.put: dict[str, str] = {}

    def get_object(self, Bucket: str, Key: str) -> Any:  # noqa: N803 - boto3's
        upload = Key.startswith("rosters/")
        return {"Body": BytesIO(self.content if upload else self.put[Key].encode())}

    def put_object(self, **arguments: Any) -> None:
        self.put[arguments["Key"]] = arguments["Body"].decode()

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> Any:  # noqa: N803 - boto3's
        keys = sorted(key for key in self.put if key.startswith(Prefix))[:MaxKeys]
        return {"Contents": [{"Key": key} for key in keys]} if keys else {}


INVALID = {"ok": False, "known": False, "fileId": "", "rows": 0, "copy": ""}


def inspect(
    monkeypatch: pytest.MonkeyPatch, content: bytes, key: str = "rosters/x.csv", *rows: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    s3 = S3(content)
    accounts = Accounts("accounts", Table(*rows))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(importer, "s3", lambda: s3)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    event = {"action": "inspect", "bucket": "b", "key": key}
    return importer.lambda_handler(event, None), s3.put


@pytest.mark.parametrize(
    ("key", "report"),
    [("rosters/x.csv", "reports/x.csv"), ("rosters/a/x.xlsx", "reports/a/x.xlsx.report.csv")],
)
def test_inspect_writes_report_for_invalid_file(
    monkeypatch: pytest.MonkeyPatch, key: str, report: str
) -> None:
    answer, put = inspect(monkeypatch, b"\xff", key)
    assert answer == INVALID
    assert put.keys() == {report}
    assert "UTF-8" in put[report]


@given(st.lists(st.sampled_from(["a", ".csv", ".report", "/", ".xlsx"]), max_size=5).map("".join))
def test_each_upload_has_a_report_of_its_own(name: str) -> None:
    others = (name + ".csv", name + ".report.csv", name.removesuffix(".csv"))
    keys = {report_key(f"rosters/{it}") for it in (name, *others)}
    assert len(keys) == len({name, *others})


def test_inspect_ignores_folder_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect(monkeypatch, b"", "rosters/2026/") == (INVALID, {})


def row(file_id: str, index: int, status: str) -> dict[str, str]:
    return {"pk": f"REQUEST#{request_id(file_id, index)}", "sk": "REQUEST", "status": status}


def test_inspect_writes_normalized_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, put = inspect(monkeypatch, b"\xef\xbb\xbfname;email\r\nAnna;a@b.c\r\n")
    assert (answer["ok"], answer["known"], answer["rows"]) == (True, False, 1)
    assert put[answer["copy"]] == '{"name": "Anna", "email": "a@b.c"}\n'
    assert put.keys() == {answer["copy"], "lists/x.csv.json"}
    assert answer["fileId"] in answer["copy"]


@pytest.mark.parametrize(
    ("statuses", "known"),
    [
        (["created", "rejected", "failed"], True),
        (["created", "rejected"], False),
        (["created", "pending", "created"], False),
        ([], False),
    ],
)
def test_inspect_recognizes_file_with_every_row_decided(
    monkeypatch: pytest.MonkeyPatch, statuses: list[str], known: bool
) -> None:
    content = b"email,name\na,b\nc,d\ne,f\n"
    file_id = inspect(monkeypatch, content)[0]["fileId"]
    rows = [row(file_id, number, status) for number, status in enumerate(statuses)]
    answer, put = inspect(monkeypatch, content, "rosters/copy.csv", *rows)
    assert answer["known"] == known
    assert put.keys() == {answer["copy"], "lists/copy.csv.json"}


def poll(
    monkeypatch: pytest.MonkeyPatch, statuses: list[str], **event: Any
) -> tuple[dict[str, Any], int]:
    """Poll for the report of rows with statuses, "" for none; return the answer and the writes."""
    table = Table(*(row("f", it, status) for it, status in enumerate(statuses) if status))
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    s3 = S3(b"")
    monkeypatch.setattr(importer, "s3", lambda: s3)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    given_event = {"action": "report", "bucket": "b", "key": "rosters/x.csv", "fileId": "f"}
    state = {"rows": len(statuses), "polls": 0, "last": False, "lastRound": False}
    return importer.lambda_handler({**given_event, **state, **event}, None), len(s3.put)


NO_ROWS = dict.fromkeys(
    ("created", "exists", "updated", "rejected", "failed", "pending", "left"), 0
)
MISSING = {"done": False, "missing": True}
PENDING = {"done": False, "missing": False}


@pytest.mark.parametrize("polls", [0, 719])
def test_report_waits_for_pending_requests_until_last_poll(
    monkeypatch: pytest.MonkeyPatch, polls: int
) -> None:
    statuses = ["created", "rejected", "pending", "failed"]
    assert poll(monkeypatch, statuses, polls=polls) == (PENDING, 0)
    totals = {**NO_ROWS, "created": 1, "rejected": 1, "failed": 1, "pending": 1}
    assert poll(monkeypatch, statuses, polls=720, last=True) == ({"done": True, **totals}, 1)


@pytest.mark.parametrize("others", [["created"], ["pending"], []])
@pytest.mark.parametrize("first", [False, True])
def test_report_asks_for_another_round_of_rows_without_request(
    monkeypatch: pytest.MonkeyPatch, others: list[str], first: bool
) -> None:
    """A missing row is found at the first poll, wherever it is and also beside pending ones."""
    statuses = ["", *others * 150] if first else [*others * 150, ""]
    assert poll(monkeypatch, statuses) == (MISSING, 0)


def test_report_names_row_without_request_failed_after_last_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    totals = {**NO_ROWS, "created": 1, "failed": 1}
    answer = poll(monkeypatch, ["created", ""], lastRound=True)
    assert answer == ({"done": True, **totals}, 1)
    assert poll(monkeypatch, ["pending", ""], lastRound=True) == (PENDING, 0)


def test_report_names_students_missing_from_next_list_of_same_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = b"email,name\na@app.example,A\nb@app.example,B\nno address,C\n"
    second = b"name,email\nC,c@app.example\nA,A@APP.example\n"
    s3 = S3(first)
    accounts = Accounts("accounts", Table())  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(importer, "s3", lambda: s3)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)

    def report_of(content: bytes, key: str) -> tuple[int, list[str]]:
        s3.content = content
        file = importer.inspect("b", key)
        event = {**file, "key": key, "bucket": "b", "polls": 9, "last": True, "lastRound": True}
        totals = importer.report(event)
        text = s3.put[report_key(key)]
        return totals["left"], [line for line in text.splitlines() if ",left," in line]

    assert report_of(first, "rosters/one.csv") == (0, [])
    assert report_of(second, "rosters/other.csv") == (0, [])
    # The same file again keeps the report.
    for _ in range(2):
        count, (line,) = report_of(second, "rosters/one.csv")
        assert count == 1
        assert line.startswith(",left,left,email,The address in row 3 ")
    # S3 deletes the copies after 30 days.
    del s3.put[f"read/{parse(first).file_id}.jsonl"]
    assert report_of(second, "rosters/one.csv") == (0, [])
