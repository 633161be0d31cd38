"""The start of an erasure: the recipient of the link, proofs, orders and repetitions."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import email_proofs, erasure_request, identity
from stepfunctions.accounts import Accounts
from stepfunctions.email_address import email_key
from stepfunctions.erasure_request import Services
from stepfunctions.erasure_table import ErasureTable
from stepfunctions.errors import TransientError
from tests.unit.stepfunctions.accounts_store import AccountsStore

SUB: Final = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
ACCOUNT: Final = "0a" * 16
EMAIL, GUARDIAN = "asha@example.com", "parent@example.com"
SECRET: Final = "1b" * 32
KEY: Final = email_key(SUB, bytes.fromhex(SECRET))
NOW: Final = 1_795_780_000.0
IDS: Final = tuple(f"{SUB[:-1]}{digit}" for digit in "123")


@dataclass
class School:
    """A school with one student, whose calls of the function are those of the API."""

    birth: str = "1990-01-01"
    now: float = NOW
    store: AccountsStore = field(default_factory=AccountsStore)
    started: dict[str, str] = field(default_factory=dict)
    user: dict[str, str] | None = field(
        default_factory=lambda: {
            "sub": SUB,
            "email": EMAIL,
            "name": "Asha",
            "preferred_username": ACCOUNT,
        }
    )

    def __post_init__(self) -> None:
        self.store.put("SECRET", "EMAIL", secret=SECRET)
        form = {"email": EMAIL, "name": "Asha", "date_of_birth": self.birth}
        self.store.put(f"ACCOUNT#{ACCOUNT}", "PERSON", **form, guardian_email=GUARDIAN)
        database: Any = self.store
        self.services = Services(
            Accounts("accounts", database),
            ErasureTable("accounts", "us-east-1", database),
            lambda sub: self.user if sub == SUB else None,
            self.started.__setitem__,
            lambda: self.now,
        )

    def call(self, action: str, request: Any, **values: str) -> tuple[int, Any]:
        event = {"action": action, "request": json.dumps(request), **values}
        answer = identity.lambda_handler(event, None)
        return answer["status"], answer["body"]

    def ask(self, request_id: str = IDS[0]) -> tuple[int, Any]:
        return self.call("request-erasure", {"requestId": request_id}, student=SUB)

    def prove(self, proof: dict[str, str]) -> tuple[int, Any]:
        return self.call("prove-erasure", proof)

    def order(self, email: str = EMAIL, sub: str = SUB, **values: str) -> tuple[int, Any]:
        request = {"requestId": IDS[2], "email": email, "reason": " a  call "}
        return self.call("order-erasure", request, student=sub, **values)

    def links(self) -> list[dict[str, str]]:
        """Return the proofs of the links, by the requests' ids."""
        keys = sorted(it for it in self.store.items if it[1].startswith("OUTBOX#EraseAccount-"))
        proofs = [self.store.items[it]["proof"]["S"].split(".") for it in keys]
        return [dict(zip(("erasureId", "token"), it, strict=True)) for it in proofs]

    @property
    def item(self) -> dict[str, Any]:
        return self.store.items[f"ERASURE#{KEY}", "ERASURE"]


@pytest.fixture
def school(monkeypatch: pytest.MonkeyPatch) -> School:
    return open_school(monkeypatch, School())


def open_school(monkeypatch: pytest.MonkeyPatch, school: School) -> School:
    monkeypatch.setattr(erasure_request, "services", lambda: school.services)
    return school


def test_link_of_the_student_starts_the_erasure_once(school: School) -> None:
    assert school.ask() == (202, {"status": "waiting", "confirmedBy": "student"})
    assert school.ask() == (202, {"status": "waiting", "confirmedBy": "student"})
    assert school.item["email"]["S"] == EMAIL
    (proof,) = school.links()
    assert proof["token"] not in json.dumps(school.item)
    assert school.started == {}
    assert school.prove({**proof, "token": "t" * 43})[1]["code"] == "erasure_proof_invalid"
    for _ in range(2):
        assert school.prove(proof) == (200, {"status": "running", "confirmedBy": "student"})
    assert list(school.started) == [KEY]
    # The history of the execution has no id of the student.
    assert SUB not in school.started[KEY]
    assert school.ask(IDS[1]) == (202, {"status": "running", "confirmedBy": "student"})
    # The office's search knows it, without the address.
    (mark,) = [it for it in school.store.items if it[0].startswith("ERASED#")]
    assert mark[0] == f"ERASED#{email_key(EMAIL, bytes.fromhex(SECRET))}"


@pytest.mark.parametrize(
    ("birth", "by", "email"),
    [("1990-01-01", "student", EMAIL), ("2015-01-01", "guardian", GUARDIAN)],
)
def test_link_of_a_minor_goes_to_the_guardian(
    monkeypatch: pytest.MonkeyPatch, birth: str, by: str, email: str
) -> None:
    school = open_school(monkeypatch, School(birth))
    assert school.ask() == (202, {"status": "waiting", "confirmedBy": by})
    assert school.item["email"]["S"] == email
    assert json.loads(school.item["work"]["S"])["email"] == EMAIL


def test_newer_request_replaces_the_link_of_the_former(school: School) -> None:
    school.ask(IDS[0])
    school.ask(IDS[1])
    former, newer = school.links()
    assert school.prove(former)[1]["code"] == "erasure_proof_invalid"
    assert school.prove(newer)[0] == 200


def test_sixth_email_of_a_day_keeps_the_former_link(school: School) -> None:
    ids = [f"{SUB[:-2]}{number:02d}" for number in range(7)]
    for one in ids:
        assert school.ask(one) == (202, {"status": "waiting", "confirmedBy": "student"})
    proofs = school.links()
    assert len(proofs) == 5
    assert school.prove(proofs[-1])[0] == 200


def test_expired_link_starts_nothing(school: School) -> None:
    school.ask()
    (proof,) = school.links()
    school.now += email_proofs.PROOF_S
    assert school.prove(proof)[0] == 404
    assert school.started == {}


def test_office_starts_an_erasure_with_the_address(school: School) -> None:
    assert school.order(email="other@example.com", staff="s-1")[1]["code"] == "address_differs"
    assert school.order(sub=EMAIL)[1]["code"] == "student_unknown"
    assert school.started == {}
    assert school.order(EMAIL.upper(), staff="s-1") == (
        202,
        {"status": "running", "confirmedBy": "staff"},
    )
    work = json.loads(school.item["work"]["S"])
    assert (work["staff"], work["reason"]) == ("s-1", "a call")
    # The user is deleted meanwhile; the same request still returns the status.
    school.user = None
    assert school.order(staff="s-1")[1]["status"] == "running"
    assert school.order()[1]["confirmedBy"] == "staff"
    assert list(school.started) == [KEY]


def test_order_takes_over_a_request_that_waits_for_its_link(school: School) -> None:
    school.ask()
    (proof,) = school.links()
    assert school.order()[1] == {"status": "running", "confirmedBy": "operator"}
    assert school.prove(proof)[1]["code"] == "erasure_proof_invalid"


def test_unknown_user_can_not_ask_for_an_erasure(school: School) -> None:
    school.user = None
    assert school.ask()[1]["code"] == "student_unknown"
    assert school.prove({"erasureId": KEY, "token": "t" * 43})[0] == 404


@given(failures=st.lists(st.booleans(), max_size=12), ordered=st.booleans())
def test_repetition_completes_a_start_that_failed_anywhere(
    failures: list[bool], ordered: bool
) -> None:
    school, pending = School(), list(failures)

    def fail() -> None:
        if pending and pending.pop():
            raise TransientError("DynamoDB failed.")

    with pytest.MonkeyPatch.context() as monkeypatch:
        open_school(monkeypatch, school)
        school.ask()
        (proof,) = school.links()
        school.store.before = fail
        for _ in range(len(failures) + 1):
            try:
                body = (school.order() if ordered else school.prove(proof))[1]
            except TransientError:
                continue
            break
        assert body["status"] == "running"
        assert list(school.started) == [KEY]
