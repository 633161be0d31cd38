"""The office's side of an erasure: its refusals, and what the search says about an address."""

import io
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office import handler
from office.erasures import Erasures
from office.errors import AddressDiffersError, UnavailableError, UnknownStudentError
from stepfunctions.email_address import email_key
from tests import strategies
from tests.unit.office.fakes import STAFF, SUBJECT, World
from tests.unit.office.test_handler import ID, invoke
from tests.unit.office.test_service import office_of

SECRET: Final = "1b" * 32
REQUEST: Final = {"requestId": ID, "email": "asha@example.com", "reason": "call"}


class Dynamo:
    """The items of the accounts table that the office may read."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items = items

    def get_item(self, **request: Any) -> Any:
        assert request["ConsistentRead"]
        item = self.items.get(request["Key"]["pk"]["S"])
        return {"Item": item} if item else {}


class Functions:
    """The function of the users, with one answer."""

    def __init__(self, result: Any, error: str = "") -> None:
        self.result = result
        self.error = error
        self.events: list[Any] = []

    def invoke(self, **request: Any) -> Any:
        self.events.append(json.loads(request["Payload"]))
        answer = {"Payload": io.BytesIO(json.dumps(self.result).encode())}
        return answer | ({"FunctionError": self.error} if self.error else {})


def erasures(items: dict[str, Any] | None = None, functions: Any = None) -> Erasures:
    return Erasures(Dynamo(items or {}), functions, "accounts", "identity:live")


def erased(address: str, status: str = "erased") -> dict[str, Any]:
    key = email_key(address, bytes.fromhex(SECRET))
    item = {"status": {"S": status}, "at": {"N": "1790000000"}}
    return {"SECRET": {"secret": {"S": SECRET}}, f"ERASED#{key}": item}


@pytest.mark.parametrize("text", ["asha@example.com", "  ASHA@Example.com "])
def test_search_says_that_a_student_with_the_address_was_erased(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    users = World()
    monkeypatch.setattr(handler, "office", lambda: office_of(users))
    monkeypatch.setattr(handler, "erasures", lambda: erasures(erased("asha@example.com")))
    status, body = invoke("search", {"text": text})
    assert status == 200
    assert body["erasure"] == {"status": "erased", "at": "2026-09-21T14:13:20.000Z"}
    assert "erasure" not in invoke("search", {"text": "another@example.com"})[1]


@given(st.text() | strategies.api_texts)
def test_any_text_of_a_search_is_another_address(text: str) -> None:
    assert erasures(erased("asha@example.com")).of_address(text) is None


def test_address_has_no_erasure_in_an_empty_table() -> None:
    assert erasures().of_address("asha@example.com") is None


def test_staff_starts_an_erasure_in_the_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = Functions({"status": 202, "body": {"status": "running", "confirmedBy": "staff"}})
    monkeypatch.setattr(handler, "erasures", lambda: erasures(functions=functions))
    assert invoke("erase", REQUEST, studentId=SUBJECT)[1]["status"] == "running"
    (event,) = functions.events
    assert (event["action"], event["student"], event["staff"]) == ("order-erasure", SUBJECT, STAFF)
    assert json.loads(event["request"]) == REQUEST
    assert invoke("erase", REQUEST, studentId="asha@example.com")[0] == 404
    assert len(functions.events) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("address_differs", AddressDiffersError),
        ("student_unknown", UnknownStudentError),
        ("another", UnavailableError),
    ],
)
def test_refusal_of_the_function_is_that_of_the_office(code: str, error: type[Exception]) -> None:
    functions = Functions({"status": 409, "body": {"code": code, "detail": "No."}})
    with pytest.raises(error):
        erasures(functions=functions).start(SUBJECT, STAFF, REQUEST, "cf-1")


def test_failed_function_is_unavailable() -> None:
    functions = Functions({"errorMessage": "asha@example.com"}, "Unhandled")
    with pytest.raises(UnavailableError) as refused:
        erasures(functions=functions).start(SUBJECT, STAFF, REQUEST, "cf-1")
    assert "asha" not in str(refused.value)
