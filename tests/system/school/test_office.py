"""The office's search and paid access on the running system, through CloudFront."""

import secrets
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.system.school.test_api import ApiClient
from tools.demo_students import access_token, put_user
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration


class Person:
    """A user of the pool, with a client of the API."""

    def __init__(self, system: System, name: str, *, staff: bool = False) -> None:
        self.email = f"{name}-{uuid.uuid4().hex[:8]}@example.com"
        self._cognito = client("cognito-idp", system.target)
        outputs = system.deployed.outputs
        self._pool, password = outputs["UserPoolId"], secrets.token_urlsafe(12)
        put_user(self._cognito, self._pool, self.email, password, paying=False, staff=staff)
        app_client = outputs["UserPoolClientId"]
        token = access_token(self._cognito, self._pool, app_client, self.email, password)
        self.api = ApiClient(system, token)
        self.id = next(it["Value"] for it in self._attributes() if it["Name"] == "sub")

    def _attributes(self) -> Any:
        user = self._cognito.admin_get_user(UserPoolId=self._pool, Username=self.email)
        return user["UserAttributes"]

    def rename(self, name: str) -> None:
        attributes = [{"Name": "name", "Value": name}]
        self._cognito.admin_update_user_attributes(
            UserPoolId=self._pool, Username=self.email, UserAttributes=attributes
        )

    def groups(self) -> list[str]:
        page = self._cognito.admin_list_groups_for_user(UserPoolId=self._pool, Username=self.email)
        return [it["GroupName"] for it in page["Groups"]]


@pytest.fixture(scope="module")
def office(meridian: System) -> Iterator[Person]:
    person = Person(meridian, "office", staff=True)
    with person.api.http:
        yield person


@pytest.fixture
def student(meridian: System) -> Iterator[Person]:
    person = Person(meridian, "asha")
    with person.api.http:
        yield person


def find(office: Person, text: str) -> list[str]:
    status, answer = office.api.send("POST", "/students/searches", json={"text": text})
    assert status == 200, answer
    return [it["email"] for it in answer["students"]]


def change(office: Person, student: Person, *, paid: bool, **more: str) -> tuple[int, Any]:
    body = {"requestId": str(uuid.uuid4()), "paid": paid, "reason": 'O\'Brien "paid" \\ 118'}
    return office.api.send("POST", f"/students/{student.id}/access", json=body | more)


def read(office: Person, student: Person) -> Any:
    status, answer = office.api.send("GET", f"/students/{student.id}")
    assert status == 200, answer
    return answer


def test_office_finds_a_student_by_address_name_and_id(office: Person, student: Person) -> None:
    name = f'Trần "A" {uuid.uuid4().hex[:8]} \\ Menon'
    student.rename(name)
    for text in (student.email, student.email[:12].upper(), name, name[:15], student.id):
        assert find(office, text) == [student.email], text
    for nobody in (f"nobody-{uuid.uuid4().hex}", f"{uuid.uuid4().hex}@schüler.example"):
        assert find(office, nobody) == []
    # Quotation marks don't end the filter.
    assert find(office, '" or email ^= "a') == []


def test_search_of_many_is_bounded_and_says_so(meridian: System, office: Person) -> None:
    cognito, pool = client("cognito-idp", meridian.target), meridian.deployed.outputs["UserPoolId"]
    prefix = f"many{uuid.uuid4().hex[:8]}"
    for number in range(22):
        cognito.admin_create_user(
            UserPoolId=pool, Username=f"{prefix}-{number}@example.com", MessageAction="SUPPRESS"
        )
    body = {"text": prefix}
    status, answer = office.api.send("POST", "/students/searches", json=body)
    assert (status, len(answer["students"]), answer["more"]) == (200, 20, True)


def test_paid_access_is_granted_and_ended_with_a_record(
    meridian: System, office: Person, student: Person
) -> None:
    assert read(office, student)["paid"] is False
    status, granted = change(office, student, paid=True)
    assert (status, granted) == (
        200,
        {"paid": True, "changed": True, "effectiveWithinSeconds": 0},
    )
    assert student.groups() == ["paying"]
    # The same again changes nothing, and records nothing.
    assert change(office, student, paid=True)[1]["changed"] is False
    status, ended = change(office, student, paid=False)
    assert (status, ended["paid"], ended["effectiveWithinSeconds"] > 0) == (200, False, True)
    shown = read(office, student)
    assert (shown["groups"], shown["unfinished"], shown["account"]) == ([], False, "none")
    recorded = [(it["paid"], it["reason"], it["by"]) for it in shown["changes"]]
    reason = 'O\'Brien "paid" \\ 118'
    assert recorded == [(False, reason, office.email), (True, reason, office.email)]
    table = client("dynamodb", meridian.target)
    items = table.query(
        TableName=f"meridian-{meridian.target.stage}-office",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :view)",
        ExpressionAttributeValues={":pk": {"S": f"STUDENT#{student.id}"}, ":view": {"S": "VIEW#"}},
    )["Items"]
    assert {it["by_staff"]["S"] for it in items} == {office.id}


def test_repeated_request_does_not_undo_a_later_change(office: Person, student: Person) -> None:
    first = str(uuid.uuid4())
    assert change(office, student, paid=True, requestId=first)[1]["changed"] is True
    assert change(office, student, paid=False)[1]["changed"] is True
    status, late = change(office, student, paid=True, requestId=first)
    assert (status, late["paid"], late["changed"]) == (200, False, False)
    assert student.groups() == []
    status, reused = change(office, student, paid=False, requestId=first)
    assert (status, student.groups()) == (200, []), reused


def test_concurrent_changes_end_in_the_state_of_the_last_recorded_one(
    office: Person, student: Person
) -> None:
    with ThreadPoolExecutor(8) as threads:
        wanted = [number % 2 == 0 for number in range(16)]
        results = list(threads.map(lambda it: change(office, student, paid=it), wanted))
    statuses = {(status, answer.get("code")) for status, answer in results}
    assert statuses <= {(200, None), (409, "access_changing")}
    shown = read(office, student)
    assert (student.groups() == ["paying"]) == shown["paid"]
    assert (shown["changes"][0]["paid"], shown["unfinished"]) == (shown["paid"], False)
    assert len(shown["changes"]) == sum(answer.get("changed") is True for _, answer in results)


def test_interrupted_change_is_shown_and_repeated(
    meridian: System, office: Person, student: Person
) -> None:
    """A process that ended between the record and the group."""
    change(office, student, paid=True)
    table = client("dynamodb", meridian.target)
    table.update_item(
        TableName=f"meridian-{meridian.target.stage}-office",
        Key={"pk": {"S": f"STUDENT#{student.id}"}, "sk": {"S": "ACCESS"}},
        UpdateExpression="SET applied = :no, busy_until = :past",
        ExpressionAttributeValues={":no": {"BOOL": False}, ":past": {"N": "1"}},
    )
    assert read(office, student)["unfinished"] is True
    assert change(office, student, paid=True)[1]["changed"] is True
    shown = read(office, student)
    assert (shown["unfinished"], shown["paid"]) == (False, True)


def test_students_and_strangers_are_refused(office: Person, student: Person) -> None:
    own = f"/students/{student.id}"
    body = {"requestId": str(uuid.uuid4()), "paid": True, "reason": "r"}
    for method, path, options in (
        ("POST", "/students/searches", {"json": {"text": "asha"}}),
        ("GET", own, {}),
        ("POST", f"{own}/access", {"json": body}),
    ):
        status, refused = student.api.send(method, path, **options)
        assert (status, refused["code"]) == (403, "not_staff"), path
    assert student.groups() == []
    # Cognito accepts an address where the API accepts an id only.
    for unknown in (str(uuid.uuid4()), student.email, "..%2f..", "x" * 300):
        status, refused = office.api.send("GET", f"/students/{unknown}")
        assert status in {400, 403, 404}, unknown
