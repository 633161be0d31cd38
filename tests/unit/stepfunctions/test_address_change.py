"""A change of address needs both proofs, has one winner, and is complete or without an effect."""

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfunctions import address_change, identity
from stepfunctions.accounts import Accounts
from stepfunctions.address_change import Services
from stepfunctions.address_table import AddressTable
from stepfunctions.email_address import email_key, normalize
from stepfunctions.errors import PermanentError
from stepfunctions.users import Users
from tests.support.examples import at_most
from tests.unit.stepfunctions.accounts_store import AccountsStore, UserPool

STUDENTS = ("anna", "ben")
FORMER = {it: f"{it}@example.com" for it in STUDENTS}
NEW = "new@example.org"
DAY_S = 86_400


class CrashError(Exception):
    """The process ended."""


class School:
    """Two students with accounts, and the services of the function in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        self.calls_left: int | None = None
        self.store, self.pool = AccountsStore(self.call), UserPool(self.call)
        self.accounts = Accounts("accounts", self.store)  # type: ignore[arg-type] # a fake
        self.secret = self.accounts.email_secret()
        self.started: dict[str, str] = {}
        for student in STUDENTS:
            self.sign_up(student, FORMER[student])
        services = Services(
            self.accounts,
            AddressTable("accounts", "us-east-1", self.store),  # type: ignore[arg-type] # a fake
            Users("pool", self.pool),  # type: ignore[arg-type] # a fake
            lambda sub: self.pool.users.get(sub),
            lambda name, text: self.started.update({name: self.started.get(name, text)}),
            lambda: self.now,
        )
        monkeypatch.setattr(address_change, "services", lambda: services)

    def call(self) -> None:
        """Count a call of a service, and end the process before it if it's time.

        Raises:
            CrashError: The process ends here.
        """
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise CrashError
            self.calls_left -= 1

    def sign_up(self, student: str, email: str) -> bool:
        """Create an account like the workflow `create`; return whether the address was free."""
        key, account = self.key(email), self.account(student)
        if ("EMAIL#" + key, "EMAIL") in self.store.items:
            return False
        self.store.put("EMAIL#" + key, "EMAIL", account_id=account)
        self.store.put(f"ACCOUNT#{account}", "ACCOUNT", status="active", email_key=key)
        self.store.put(f"ACCOUNT#{account}", "PERSON", email=email, name="Anna", locale="vi")
        self.pool.users[student] = {
            "sub": student, "email": email, "preferred_username": account
        }  # fmt: skip
        return True

    def account(self, student: str) -> str:
        return student.encode().hex().ljust(32, "0")

    def key(self, email: str) -> str:
        normalized = normalize(email)
        assert normalized is not None
        return email_key(normalized, self.secret)

    def ask(self, student: str, email: str, request_id: str = "") -> dict[str, Any]:
        body = {"requestId": request_id or str(uuid.uuid4()), "email": email}
        event = {"action": "request-address", "student": student, "request": json.dumps(body)}
        return identity.lambda_handler(event, None)

    def links(self, student: str) -> dict[str, dict[str, str]]:
        """Return the kinds of the student's emails with the proofs of their links, newest last."""
        pk = f"ACCOUNT#{self.account(student)}"
        proofs = {}
        for (key, sk), item in self.store.items.items():
            if key == pk and sk.startswith("OUTBOX#") and "proof" in item:
                account, token = item["proof"]["S"].split(".")
                kind = sk.removeprefix("OUTBOX#").partition("-")[0]
                proofs[kind] = {"accountId": account, "token": token}
        return proofs

    def prove(self, proof: dict[str, str]) -> dict[str, Any]:
        event = {"action": "prove-address", "request": json.dumps(proof)}
        return identity.lambda_handler(event, None)

    def run(self) -> list[str]:
        """Run the started workflows; return their outcomes."""
        events = [{"action": "change-address", **json.loads(it)} for it in self.started.values()]
        return [identity.lambda_handler(it, None)["outcome"] for it in events]

    def email(self, student: str) -> str:
        """Return the student's address, which the table, its key and the user must agree about."""
        pk = f"ACCOUNT#{self.account(student)}"
        email: str = self.store.items[pk, "PERSON"]["email"]["S"]
        assert self.pool.users[student]["email"] == email
        assert self.store.items[pk, "ACCOUNT"]["email_key"]["S"] == self.key(email)
        owners = [
            it["account_id"]["S"]
            for (key, _), it in self.store.items.items()
            if key == "EMAIL#" + self.key(email)
        ]
        assert owners == [self.account(student)]
        return email

    def addresses(self) -> int:
        """Return the number of addresses that are taken."""
        return sum(pk.startswith("EMAIL#") for pk, _ in self.store.items)


@pytest.fixture
def school(monkeypatch: pytest.MonkeyPatch) -> School:
    return School(monkeypatch)


def proved(school: School, student: str = "anna", email: str = NEW) -> None:
    """Ask for a change and follow both links."""
    assert school.ask(student, email)["status"] == 202
    links = school.links(student)
    for kind in ("NewAddress", "OldAddress"):
        assert school.prove(links[kind])["status"] == 200


@pytest.mark.parametrize("first", ["NewAddress", "OldAddress"])
def test_address_changes_after_both_links(school: School, first: str) -> None:
    assert school.ask("anna", "New@Example.ORG")["body"] == {"status": "waiting"}
    links = school.links("anna")
    (second,) = set(links) - {first}
    assert school.prove(links[first])["body"] == {"status": "waiting"}
    # One link twice isn't both.
    assert school.prove(links[first])["body"] == {"status": "waiting"}
    assert (school.started, school.email("anna")) == ({}, FORMER["anna"])
    assert school.prove(links[second])["body"] == {"status": "changing"}
    assert school.run() == ["changed"]
    assert school.email("anna") == NEW
    assert school.addresses() == len(STUDENTS)
    for kind in links:
        assert school.prove(links[kind])["body"] == {"status": "changed"}
    assert school.run() == ["changed"]


@pytest.mark.parametrize("address", ["müller@bücher.example", "MÜLLER@BÜCHER.EXAMPLE"])
def test_local_part_beyond_ascii_is_refused(school: School, address: str) -> None:
    assert school.ask("anna", address)["body"]["code"] == "address_invalid"


def test_address_is_compared_by_uts_46(school: School) -> None:
    proved(school, email="a@bücher.example")
    assert school.run() == ["changed"]
    assert school.email("anna") == "a@xn--bcher-kva.example"
    for same in ("A@BÜCHER.example", "a@xn--bcher-kva.example"):
        assert school.ask("anna", same)["body"]["code"] == "address_unchanged"


def test_answer_does_not_tell_whether_address_has_account(school: School) -> None:
    free, taken = school.ask("anna", NEW), school.ask("anna", FORMER["ben"])
    assert free == taken
    links = school.links("anna")
    assert set(links) == {"NewAddress", "OldAddress", "AddressTaken"}
    # Nobody gets the proof of a taken address; the other link waits for it in vain.
    assert school.prove(links["OldAddress"])["body"] == {"status": "waiting"}
    assert school.email("ben") == FORMER["ben"]


def test_links_expire_after_a_day(school: School) -> None:
    school.ask("anna", NEW)
    links = school.links("anna")
    school.prove(links["NewAddress"])
    school.now += DAY_S
    assert school.prove(links["OldAddress"])["body"]["code"] == "proof_invalid"
    assert school.started == {}


def test_newer_request_replaces_the_links(school: School) -> None:
    school.ask("anna", NEW)
    former = school.links("anna")
    school.ask("anna", "other@example.org")
    for proof in former.values():
        assert school.prove(proof)["status"] == 404
    assert school.prove({**former["NewAddress"], "accountId": "0" * 32})["status"] == 404


def test_repeated_request_sends_no_further_emails(school: School) -> None:
    request_id = str(uuid.uuid4())
    assert school.ask("anna", NEW, request_id) == school.ask("anna", NEW, request_id)
    counters = [it for (pk, _), it in school.store.items.items() if pk.startswith("PROOF#")]
    assert [it["emails"]["N"] for it in counters] == ["1", "1"]
    other = school.ask("anna", "other@example.org", request_id)
    assert (other["status"], other["body"]["code"]) == (409, "request_id_used")


def test_mailboxes_get_at_most_five_of_these_emails_a_day(school: School) -> None:
    answers = [school.ask("anna", NEW)["status"] for _ in range(7)]
    assert answers == [202] * 7
    emails = [sk for _, sk in school.store.items if sk.startswith("OUTBOX#NewAddress")]
    assert len(emails) == 5


def test_user_without_account_is_refused(school: School) -> None:
    school.pool.users["staff"] = {"sub": "staff", "email": "staff@example.com"}
    for student in ("staff", "nobody"):
        assert school.ask(student, NEW)["body"]["code"] == "account_unknown"
    school.store.put(f"ACCOUNT#{school.account('ben')}", "ACCOUNT", status="withdrawn")
    assert school.ask("ben", NEW)["body"]["code"] == "account_unknown"


def test_of_two_students_one_gets_the_address(school: School) -> None:
    for student in STUDENTS:
        proved(school, student)
    assert sorted(school.run()) == ["changed", "refused"]
    assert sorted(school.email(it) for it in STUDENTS) == sorted([FORMER["ben"], NEW])
    assert school.addresses() == len(STUDENTS)
    assert school.prove(school.links("ben")["OldAddress"])["body"] == {"status": "refused"}


def test_sign_up_before_the_change_keeps_its_address(school: School) -> None:
    proved(school)
    assert school.sign_up("cleo", NEW)
    assert school.run() == ["refused"]
    assert [school.email(it) for it in ("anna", "cleo")] == [FORMER["anna"], NEW]


def test_address_of_user_without_account_is_refused(school: School) -> None:
    school.pool.users["staff"] = {"sub": "staff", "email": NEW}
    proved(school)
    assert school.run() == ["refused"]
    assert school.email("anna") == FORMER["anna"]
    # The address isn't reserved any more.
    assert school.addresses() == len(STUDENTS)


@pytest.mark.parametrize("begun", [False, True])
def test_erased_student_leaves_no_address(school: School, *, begun: bool) -> None:
    proved(school)
    if begun:
        # The process ends before the user is changed.
        school.calls_left = 3
        with pytest.raises(CrashError):
            school.run()
        school.calls_left = None
    pk = f"ACCOUNT#{school.account('anna')}"
    change = school.store.items[pk, "ADDRESS"]
    if change["status"]["S"] == "changing":
        # As tools/operations/person.py does.
        del school.store.items["EMAIL#" + change["new_key"]["S"], "EMAIL"]
    for key in [it for it in school.store.items if it[0] == pk]:
        del school.store.items[key]
    del school.store.items["EMAIL#" + school.key(FORMER["anna"]), "EMAIL"]
    del school.pool.users["anna"]
    assert school.run() == ["refused"]
    assert school.addresses() == len(STUDENTS) - 1


def test_withdrawn_account_keeps_its_user_unchanged(school: School) -> None:
    proved(school)
    pk = f"ACCOUNT#{school.account('anna')}"
    school.store.items[pk, "ACCOUNT"]["status"] = {"S": "withdrawn"}
    assert school.run() == ["refused"]
    assert school.pool.users["anna"]["email"] == FORMER["anna"]
    assert school.addresses() == len(STUDENTS)


def test_change_without_both_proofs_is_an_error(school: School) -> None:
    school.ask("anna", NEW)
    (request,) = [it for (_, sk), it in school.store.items.items() if sk == "ADDRESS"]
    ids = {"accountId": school.account("anna"), "changeId": request["change_id"]["S"]}
    with pytest.raises(PermanentError):
        identity.lambda_handler({"action": "change-address", **ids}, None)


def test_request_during_the_change_is_refused(school: School) -> None:
    proved(school)
    school.calls_left = 2
    with pytest.raises(CrashError):
        school.run()
    school.calls_left = None
    assert school.ask("anna", "other@example.org")["body"]["code"] == "address_changing"
    assert school.run() == ["changed"]
    assert school.email("anna") == NEW


def crashing(school: School, calls: int, work: Callable[[], object]) -> None:
    school.calls_left = calls
    with suppress(CrashError):
        work()
    school.calls_left = None


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=at_most(150),
    deadline=None,
)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(STUDENTS),
            st.sampled_from([NEW, FORMER["ben"], "third@example.org"]),
            st.permutations(["NewAddress", "OldAddress"]),
            st.integers(min_value=0, max_value=12),
        ),
        max_size=5,
    )
)
def test_any_crash_leaves_one_owner_per_address(
    monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, str, list[str], int]]
) -> None:
    """After every crash, the repeated workflow ends with equal addresses everywhere."""
    school = School(monkeypatch)
    for student, email, order, calls in steps:
        crashing(school, calls, lambda who=student, to=email: school.ask(who, to))  # type: ignore[misc]
        for kind in order:
            if proof := school.links(student).get(kind):
                crashing(school, calls, lambda it=proof: school.prove(it))  # type: ignore[misc]
        crashing(school, calls, school.run)
        if calls % 2:
            school.run()
    outcomes = school.run()
    assert set(outcomes) <= {"changed", "refused"}
    assert len({school.email(it) for it in STUDENTS}) == len(STUDENTS)
    assert school.addresses() == len(STUDENTS)
