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
from stepfunctions.roster import request_id
from tests.unit.stepfunctions.fakes import Table


class S3:
    """A bucket with one object; `put` holds the written ones."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.put: dict[str, str] = {}

    def get_object(self, **_given: str) -> Any:
        return {"Body": BytesIO(self.content)}

    def put_object(self, **arguments: Any) -> None:
        self.put[arguments["Key"]] = arguments["Body"].decode()


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
    keys = {importer.report_key(f"rosters/{it}") for it in (name, *others)}
    assert len(keys) == len({name, *others})


def test_inspect_ignores_folder_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect(monkeypatch, b"", "rosters/2026/") == (INVALID, {})


def row(file_id: str, index: int, status: str) -> dict[str, str]:
    return {"pk": f"REQUEST#{request_id(file_id, index)}", "sk": "REQUEST", "status": status}


def test_inspect_writes_normalized_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, put = inspect(monkeypatch, b"\xef\xbb\xbfname;email\r\nAnna;a@b.c\r\n")
    assert (answer["ok"], answer["known"], answer["rows"]) == (True, False, 1)
    assert put == {answer["copy"]: '{"name": "Anna", "email": "a@b.c"}\n'}
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
    assert (answer["known"], bool(put)) == (known, not known)


@pytest.mark.parametrize("last", [False, True])
def test_report_waits_for_pending_requests_until_last_poll(
    monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    statuses = ("created", "rejected", "pending", "failed")
    table = Table(*(row("f", number, status) for number, status in enumerate(statuses)))
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    s3 = S3(b"")
    monkeypatch.setattr(importer, "s3", lambda: s3)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    event = {"action": "report", "bucket": "b", "key": "rosters/x.csv", "fileId": "f", "rows": 5}
    answer = importer.lambda_handler({**event, "last": last}, None)
    # The fifth row has no request, because it was never admitted.
    totals = {"created": 1, "exists": 0, "rejected": 1, "failed": 2, "pending": 1} if last else {}
    assert answer == {"done": last, **totals}
    assert (len(s3.put) == 1) == last
