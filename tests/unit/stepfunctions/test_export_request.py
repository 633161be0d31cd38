"""The start of an export, and its link: who gets it, repetitions, and wrong or expired proofs."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from stepfunctions import export_request, identity
from stepfunctions.accounts import Accounts
from stepfunctions.email_address import email_key
from stepfunctions.export_request import Services
from stepfunctions.export_table import LINK_S, ExportTable
from tests.unit.stepfunctions.accounts_store import AccountsStore

SUB: Final = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
ACCOUNT: Final = "0a" * 16
EMAIL, GUARDIAN = "asha@example.com", "parent@example.com"
SECRET: Final = "1b" * 32
KEY: Final = email_key(SUB, bytes.fromhex(SECRET))
NOW: Final = 1_795_780_000
ONE, TWO = f"{SUB[:-1]}1", f"{SUB[:-1]}2"


@dataclass
class School:
    """A school with one student, whose calls of the function are those of the API."""

    monkeypatch: pytest.MonkeyPatch
    birth: str = "1990-01-01"
    now: int = NOW
    store: AccountsStore = field(default_factory=AccountsStore)
    started: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store.put("SECRET", "EMAIL", secret=SECRET)
        form = {"email": EMAIL, "name": "Asha", "date_of_birth": self.birth}
        self.store.put(f"ACCOUNT#{ACCOUNT}", "PERSON", **form, guardian_email=GUARDIAN)
        database: Any = self.store
        user = {"sub": SUB, "email": EMAIL, "name": "Asha", "preferred_username": ACCOUNT}
        self.table = ExportTable("accounts", "us-east-1", database)
        services = Services(
            Accounts("accounts", database),
            self.table,
            lambda name: user if name in {SUB, EMAIL} else None,
            self.started.__setitem__,
            lambda folder: f"https://files.example/{folder}",
            lambda: self.now,
        )
        self.monkeypatch.setattr(export_request, "services", lambda: services)

    def call(self, action: str, request: Any, **values: str) -> tuple[int, Any]:
        event = {"action": action, "request": json.dumps(request), **values}
        answer = identity.lambda_handler(event, None)
        if "text" in answer:
            assert json.loads(answer["text"]) == answer["body"]
        return answer["status"], answer["body"]

    def ask(self, request_id: str = ONE, **values: str) -> tuple[int, Any]:
        return self.call("request-export", {"requestId": request_id}, student=SUB, **values)

    def finish(self, token: str) -> None:
        export = self.table.read(KEY)
        assert export is not None
        self.table.finish(export, token, NOW, "cf-1")


@pytest.mark.parametrize(("birth", "recipient"), [("1990-01-01", EMAIL), ("2015-01-01", GUARDIAN)])
@pytest.mark.parametrize("staff", ["", "s1"])
def test_link_goes_to_the_student_or_a_minors_guardian(
    monkeypatch: pytest.MonkeyPatch, birth: str, recipient: str, staff: str
) -> None:
    school = School(monkeypatch, birth)
    assert school.ask(**({"staff": staff} if staff else {})) == (202, {"status": "running"})
    assert json.loads(school.started[f"{NOW}-{ONE}"])["exportId"] == KEY
    item = school.store.items[f"EXPORT#{KEY}", "EXPORT"]
    assert item["email"]["S"] == recipient
    assert item["ordered_by"]["S"] == ("staff" if staff else "student")


def test_repeated_request_continues_the_first_export(monkeypatch: pytest.MonkeyPatch) -> None:
    school = School(monkeypatch)
    for request_id in (ONE, ONE, TWO):
        assert school.ask(request_id) == (202, {"status": "running"})
    assert school.started.keys() == {f"{NOW}-{ONE}"}
    school.finish("t" * 43)
    school.started.clear()
    assert school.ask(TWO) == (202, {"status": "ready"})
    assert school.started == {}
    # An id that was used before starts another execution, whose name is new.
    school.now += 3_601
    assert school.ask(ONE) == (202, {"status": "running"})
    assert school.started.keys() == {f"{NOW + 3_601}-{ONE}"}


@pytest.mark.parametrize("student", [EMAIL, ONE])
def test_unknown_student_is_refused(monkeypatch: pytest.MonkeyPatch, student: str) -> None:
    school = School(monkeypatch)
    status, body = school.call("request-export", {"requestId": ONE}, student=student)
    assert (status, body["code"]) == (404, "student_unknown")
    assert school.started == {}


def test_link_opens_the_file_for_seven_days(monkeypatch: pytest.MonkeyPatch) -> None:
    school = School(monkeypatch)
    proof = {"exportId": KEY, "token": "t" * 43}

    def opened(sent: dict[str, str]) -> tuple[int, Any]:
        return school.call("prove-export", sent)

    assert opened(proof)[0] == 404
    school.ask()
    # The export has no proof yet.
    assert opened(proof)[0] == 404
    school.finish("t" * 43)
    for _ in range(2):
        status, body = opened(proof)
        assert (status, body["address"]) == (
            200,
            f"https://files.example/exports/{KEY}/{NOW}-{ONE}/",
        )
    for wrong in ({"token": "u" * 43}, {"exportId": "0" * 64}):
        assert opened({**proof, **wrong})[1]["code"] == "export_proof_invalid"
    school.now = NOW + LINK_S - 1
    assert opened(proof)[0] == 200
    school.now = NOW + LINK_S
    assert opened(proof)[1]["code"] == "export_proof_invalid"
