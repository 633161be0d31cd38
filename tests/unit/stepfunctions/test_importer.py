"""The import's function: a file before it is read, and its report after."""

from io import BytesIO
from typing import Any

import pytest

from stepfunctions import (
    importer,
)
from stepfunctions.accounts import Accounts
from stepfunctions.roster import request_id
from tests.unit.stepfunctions.fakes import Table


class Storage:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.put: dict[str, str] = {}

    def get_object(self, **_given: str) -> Any:
        return {"Body": BytesIO(self.content)}

    def put_object(self, **given: Any) -> None:
        self.put[given["Key"]] = given["Body"].decode()


REFUSED = {"ok": False, "known": False, "fileId": "", "rows": 0, "copy": ""}


def inspected(
    monkeypatch: pytest.MonkeyPatch, content: bytes, key: str = "rosters/x.csv", *rows: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    storage = Storage(content)
    accounts = Accounts("accounts", Table(*rows))  # type: ignore[arg-type] # a fake
    monkeypatch.setattr(importer, "storage", lambda: storage)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    event = {"action": "inspect", "bucket": "b", "key": key}
    return importer.lambda_handler(event, None), storage.put


@pytest.mark.parametrize(
    ("key", "report"),
    [("rosters/x.csv", "reports/x.csv"), ("rosters/a/x.xlsx", "reports/a/x.xlsx.csv")],
)
def test_a_file_that_is_no_roster_gets_its_report(
    monkeypatch: pytest.MonkeyPatch, key: str, report: str
) -> None:
    answer, put = inspected(monkeypatch, b"\xff", key)
    assert answer == REFUSED
    assert put.keys() == {report}
    assert "UTF-8" in put[report]


def test_a_folder_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspected(monkeypatch, b"", "rosters/2026/") == (REFUSED, {})


def row(file_id: str, index: int, status: str) -> dict[str, str]:
    return {"pk": f"REQUEST#{request_id(file_id, index)}", "sk": "REQUEST", "status": status}


def test_what_is_read_is_what_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, put = inspected(monkeypatch, b"\xef\xbb\xbfname;email\r\nAnna;a@b.c\r\n")
    assert (answer["ok"], answer["known"], answer["rows"]) == (True, False, 1)
    assert put == {answer["copy"]: "name,email\r\nAnna,a@b.c\r\n"}
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
def test_a_file_of_which_all_is_decided_is_known(
    monkeypatch: pytest.MonkeyPatch, statuses: list[str], known: bool
) -> None:
    content = b"email,name\na,b\nc,d\ne,f\n"
    file_id = inspected(monkeypatch, content)[0]["fileId"]
    rows = [row(file_id, number, status) for number, status in enumerate(statuses)]
    answer, put = inspected(monkeypatch, content, "rosters/again.csv", *rows)
    assert (answer["known"], bool(put)) == (known, not known)


@pytest.mark.parametrize("last", [False, True])
def test_a_report_waits_for_the_last_request(monkeypatch: pytest.MonkeyPatch, last: bool) -> None:
    statuses = ("created", "rejected", "pending", "failed")
    table = Table(*(row("f", number, status) for number, status in enumerate(statuses)))
    accounts = Accounts("accounts", table)  # type: ignore[arg-type] # a fake
    storage = Storage(b"")
    monkeypatch.setattr(importer, "storage", lambda: storage)
    monkeypatch.setattr(importer, "accounts", lambda: accounts)
    event = {"action": "report", "bucket": "b", "key": "rosters/x.csv", "fileId": "f", "rows": 5}
    answer = importer.lambda_handler({**event, "last": last}, None)
    # The fifth row has no request: it was never admitted.
    totals = {"created": 1, "rejected": 1, "failed": 2, "pending": 1} if last else {}
    assert answer == {"done": last, **totals}
    assert (len(storage.put) == 1) == last
