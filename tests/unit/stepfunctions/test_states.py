"""Every state of every machine under TestState, with mocks: where it leads, and with what."""

import json
from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator
from stepfunctions.roster import request_id
from tests.unit.stepfunctions.definitions import MACHINES, definition, levels, states

pytestmark = pytest.mark.integration

IDS = {"requestId": "r1", "accountId": "a1"}
#: What the account machine carries once its first state is over.
CARRIED = {
    **IDS,
    "valid": True,
    "attempts": 1,
    "emailKey": "k1",
    "outcome": "rejected",
    "error": "E",
    "undone": "nothing",
    "free": True,
    "status": "",
    "sub": "s1",
    "reasons": [{"code": "c", "field": "f", "message": "m"}],
}
BODY = {"requestId": "r1", "email": "a@example.com", "name": "Anna"}
ADMITTED = {**IDS, "digest": "d1", "there": True, "same": True, "pending": True}
IMPORT = {
    "bucket": "b",
    "key": "rosters/k.csv",
    "fileId": "f1",
    "rows": 2,
    "looks": 3,
    "ok": True,
    "known": False,
    "copy": "read/f1.csv",
    "totals": {"done": True},
}
INSPECTED = {
    "Payload": {"ok": True, "known": False, "fileId": "f1", "rows": 2, "copy": "read/f1.csv"}
}
PUT = {"bucket": {"name": "b"}, "object": {"key": "rosters/k.csv"}}
ITEM = {"fileId": "f1", "index": 0, "row": {**BODY, "locale": "", "programme": "maths"}}
ROW = {**BODY, "requestId": request_id("f1", 0), "programme": "maths"}
VERDICT = {"Payload": {"valid": True, "free": False, "status": "", "reasons": [], "emailKey": "k1"}}
OURS = {"Payload": {"sub": "s2"}}

#: machine, state, input, mocked result, where it leads (None: the end), part of its output.
CASES: list[tuple[str, str, Any, Any, str | None, Any]] = [
    ("account", "Validate", IDS, VERDICT, "CheckExisting",
     {"attempts": 1, "valid": True, "free": False, "emailKey": "k1", "reasons": [], **IDS}),
    ("account", "Validate", {**IDS, "attempts": 2}, VERDICT, "CheckExisting", {"attempts": 3}),
    ("account", "Begun", IDS, None, "Close", {}),
    ("account", "Begun", CARRIED, None, "Withdraw", {}),
    ("account", "CheckExisting", CARRIED, None, "Create", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "pending"}, None, "Create", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "active"}, None, "Done", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "withdrawn"}, None, "GiveUp", {}),
    ("account", "CheckExisting", {**CARRIED, "status": "undone"}, None, "Undone", {}),
    ("account", "Undone", CARRIED, None, None, {"status": "withdrawn", "accountId": "a1"}),
    ("account", "CheckExisting", {**CARRIED, "attempts": 5}, None, "Create", {}),
    ("account", "CheckExisting", {**CARRIED, "attempts": 6}, None, "GiveUp", {}),
    ("account", "CheckExisting", {**CARRIED, "free": False}, None, "Close", {}),
    ("account", "CheckExisting", {**CARRIED, "valid": False}, None, "Close", {}),
    ("account", "GiveUp", CARRIED, None, "Withdraw", {"outcome": "failed", "error": "GivenUp"}),
    ("account", "Create", CARRIED, {}, "CreateIdentity", CARRIED),
    ("account", "LookAgain", {**CARRIED, "attempts": 0}, None, "Validate", {}),
    ("account", "CreateIdentity", CARRIED, OURS, "Activate", {"sub": "s2"}),
    ("account", "Activate", CARRIED, {}, None, {"status": "created", "accountId": "a1"}),
    ("account", "Done", CARRIED, None, None, {"status": "created", "accountId": "a1"}),
    ("account", "Withdraw", CARRIED, {}, "DeleteIdentity", CARRIED),
    ("account", "DeleteIdentity", CARRIED, {"Payload": {}}, "DeleteAccount", CARRIED),
    ("account", "DeleteAccount", CARRIED, {}, "Outcome", CARRIED),
    ("account", "Park", CARRIED, {"MessageId": "m"}, "MarkParked", {"outcome": "failed"}),
    ("account", "MarkParked", CARRIED, {}, "Failed", CARRIED),
    ("account", "Close", CARRIED, {}, "Outcome", CARRIED),
    ("account", "Outcome", CARRIED, None, "Rejected", {}),
    ("account", "Outcome", {**CARRIED, "outcome": "failed"}, None, "Failed", {}),
    ("account", "Rejected", CARRIED, None, None, {"status": "rejected", "codes": ["c"]}),
    ("account", "Failed", CARRIED, None, None, None),
    ("admit", "Name", BODY, None, "Store", {"request": BODY}),
    ("admit", "Store", {"request": BODY, "accountId": "a1", "digest": "d1"}, {}, "Start", IDS),
    ("admit", "ReadBack", ADMITTED, {}, "Found", {"there": False, "same": False, "pending": False}),
    ("admit", "ReadBack", ADMITTED, {"Item": {"digest": {"S": "d1"}, "status": {"S": "pending"}}},
     "Found", {"there": True, "same": True, "pending": True}),
    ("admit", "ReadBack", ADMITTED, {"Item": {"digest": {"S": "d2"}, "status": {"S": "created"}}},
     "Found", {"there": True, "same": False, "pending": False}),
    ("admit", "Found", {**ADMITTED, "there": False}, None, "Busy", {}),
    ("admit", "Found", {**ADMITTED, "same": False}, None, "Conflict", {}),
    ("admit", "Found", ADMITTED, None, "Start", {}),
    ("admit", "Found", {**ADMITTED, "pending": False}, None, "Accepted", {}),
    ("admit", "Start", ADMITTED, {"ExecutionArn": "arn"}, "Accepted", {}),
    ("admit", "Accepted", {}, None, None, {"outcome": "accepted"}),
    ("admit", "Conflict", {}, None, None, {"outcome": "conflict"}),
    ("admit", "Busy", {}, None, None, None),
    ("import", "Inspect", PUT, INSPECTED, "Readable",
     {"looks": 0, "known": False, "copy": "read/f1.csv", "key": "rosters/k.csv", "rows": 2}),
    ("import", "Readable", IMPORT, None, "Rows", {}),
    ("import", "Readable", {**IMPORT, "ok": False}, None, "Refused", {}),
    ("import", "Readable", {**IMPORT, "known": True}, None, "Report", {}),
    ("import", "Request", ITEM, None, "Admit", {"tries": 0, "body": ROW}),
    ("import", "Admit", {"tries": 0, "body": ROW}, {"Status": "SUCCEEDED"}, "Admitted",
     {"status": "SUCCEEDED", "tries": 1, "body": ROW}),
    ("import", "Admitted", {"status": "SUCCEEDED"}, None, "Taken", {}),
    ("import", "Admitted", {"status": "FAILED", "tries": 4}, None, "AdmitLater", {}),
    ("import", "Admitted", {"status": "FAILED", "tries": 5}, None, "NotAdmitted", {}),
    ("import", "AdmitLater", {"tries": 0}, None, "Admit", {}),
    ("import", "Taken", {}, None, None, 1),
    ("import", "NotAdmitted", {}, None, None, None),
    ("import", "Report", IMPORT, {"Payload": {"done": False}}, "Complete",
     {"looks": 4, "totals": {"done": False}}),
    ("import", "Complete", IMPORT, None, "Imported", {}),
    ("import", "Complete", {**IMPORT, "totals": {"done": False}}, None, "Wait", {}),
    ("import", "Rows", IMPORT, [1, 1], "Report", IMPORT),
    ("import", "Wait", IMPORT, None, "Report", {}),
    ("import", "Imported", IMPORT, None, None, {"done": True}),
    ("import", "Refused", IMPORT, None, None, {"refused": True}),
    ("import", "Failed", {}, None, None, None),
]  # fmt: skip


def document(machine: str, state: str) -> str:
    """Return the state alone, as TestState takes it."""
    (found,) = [it for level in levels(definition(machine)) for key, it in level["States"].items()
                if key == state]  # fmt: skip
    return json.dumps({"QueryLanguage": "JSONata", **found})


def tried(emulator: Emulator, machine: str, state: str, given: Any, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = emulator.client("stepfunctions").test_state(
        definition=document(machine, state),
        input=json.dumps(given),
        inspectionLevel="DEBUG",
        **more,
    )
    return answer


def test_every_state_has_a_case() -> None:
    there = {(machine, key) for machine in MACHINES for key, _ in states(machine)}
    assert {(case[0], case[1]) for case in CASES} == there


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_a_state_leads_where_it_must(emulator: Emulator, case: Any) -> None:
    machine, state, given, result, following, output = case
    mock = {} if result is None else {"mock": {"result": json.dumps(result)}}
    answer = tried(emulator, machine, state, given, **mock)
    if output is None:
        assert answer["status"] == "FAILED"
        return
    assert answer["status"] == "SUCCEEDED", answer
    assert answer.get("nextState") == following
    found = json.loads(answer["output"])
    assert found == output if not isinstance(output, dict) else found.items() >= output.items()


TASKS = [
    (machine, key, state)
    for machine in MACHINES
    for key, state in states(machine)
    if state["Type"] in {"Task", "Map"}
]
GIVEN = {(case[0], case[1]): case[2] for case in CASES}


@pytest.mark.parametrize(("machine", "key", "state"), TASKS, ids=lambda it: str(it)[:20])
def test_every_error_of_a_task_is_answered(
    emulator: Emulator, machine: str, key: str, state: dict[str, Any]
) -> None:
    """A transient error is tried again so often and then caught; a catcher gives away no cause."""

    def failing(error: str, tries: int) -> dict[str, Any]:
        return tried(
            emulator,
            machine,
            key,
            GIVEN[machine, key],
            mock={"errorOutput": {"error": error, "cause": "canary@example.com"}},
            stateConfiguration={"retrierRetryCount": tries},
        )

    last = state["Catch"][-1]["Next"]
    for retrier in state["Retry"]:
        for error in retrier["ErrorEquals"]:
            assert failing(error, retrier["MaxAttempts"] - 1)["status"] == "RETRIABLE"
            after = failing(error, retrier["MaxAttempts"])
            assert (after["status"], after["nextState"]) == ("CAUGHT_ERROR", last)
            assert "canary" not in after["output"]
    for catcher in state["Catch"]:
        error = catcher["ErrorEquals"][0].replace("States.ALL", "Some.Error")
        caught = failing(error, 0)
        assert (caught["status"], caught["nextState"]) == ("CAUGHT_ERROR", catcher["Next"])
        assert "canary" not in caught["output"]
        given = GIVEN[machine, key]
        if machine == "account" and key != "Validate":
            assert (
                json.loads(caught["output"]).items()
                >= {**IDS, "emailKey": given["emailKey"]}.items()
            )


def test_the_digest_of_a_body_knows_no_order(emulator: Emulator) -> None:
    one, other, changed = (
        json.loads(tried(emulator, "admit", "Name", body)["output"])
        for body in (BODY, dict(reversed(BODY.items())), {**BODY, "locale": "hi"})
    )
    assert one["digest"] == other["digest"] != changed["digest"]
    assert one["accountId"] == changed["accountId"]
    assert len(one["accountId"]) == 32


def test_a_row_that_leaves_a_field_empty_leaves_it_out(emulator: Emulator) -> None:
    found = json.loads(tried(emulator, "import", "Request", ITEM)["output"])["body"]
    assert found.keys() == {"requestId", "email", "name", "programme"}


@pytest.mark.parametrize(
    "optional", [{}, {"dateOfBirth": "2010-01-01", "programme": "m", "locale": "hi"}]
)
def test_a_stored_person_has_what_was_written(emulator: Emulator, optional: dict[str, str]) -> None:
    given = {"request": {**BODY, **optional}, "accountId": "a1", "digest": "d1"}
    answer = tried(emulator, "admit", "Store", given, mock={"result": "{}"})
    arguments = json.loads(answer["inspectionData"]["afterArguments"])
    request, person = (it["Put"]["Item"] for it in arguments["TransactItems"])
    assert not {"email", "name"} & request.keys()
    written = {
        name: it["S"] for name, it in person.items() if "S" in it and name not in ("pk", "sk")
    }
    names = {"dateOfBirth": "date_of_birth"}
    expected = {names.get(name, name): value for name, value in given["request"].items()}  # type: ignore[attr-defined] # a dict
    del expected["requestId"]
    assert written.items() >= expected.items()
    assert "expires_at" in person


@pytest.mark.parametrize("count", [0, 1, 3])
def test_reasons_are_a_list_however_many(emulator: Emulator, count: int) -> None:
    reasons = [{"code": str(it), "field": "f", "message": "m"} for it in range(count)]
    answer = tried(
        emulator, "account", "Close", {**CARRIED, "reasons": reasons}, mock={"result": "{}"}
    )
    arguments = json.loads(answer["inspectionData"]["afterArguments"])
    values = arguments["TransactItems"][0]["Update"]["ExpressionAttributeValues"]
    assert [it["M"]["code"]["S"] for it in values[":reasons"]["L"]] == [
        it["code"] for it in reasons
    ]
