"""`make person`: its variables, and items as JSON."""

import io
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.operations import person
from tools.operations.stage import Stage


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"USER_NAME": "a@b.example"},
        {"EXPORT": "a.json"},
        {"USER_NAME": "a@b.example", "EXPORT": "a.json", "ERASE": "1"},
        {"USER_NAME": "a@b.example", "ERASE": "yes"},
    ],
)
def test_command_needs_a_user_and_one_action(variables: dict[str, str]) -> None:
    with pytest.raises(CommandError, match="USER=<email address>"):
        person.main(variables)


def test_erasure_needs_the_address_twice() -> None:
    with pytest.raises(CommandError, match="CONFIRM=a@b"):
        person.main({"USER_NAME": "a@b.example", "ERASE": "1", "CONFIRM": "b@b.example"})


REPORT: Final = {
    "cancelledAppointments": 1,
    "pastAppointments": 2,
    "items": 7,
    "rosters": 0,
    "emailed": True,
    "lakes": [
        {"lake": "eu-west-2", "rows": 1_200, "objects": 30, "versions": 31}
        | {"objectsRead": 90, "streamExpires": "2026-12-05T12:00Z"}
    ],
}


class Functions:
    """A Lambda client whose function answers with one status after the other."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self._bodies = list(bodies)
        self.events: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> Any:
        self.events.append({**json.loads(request["Payload"]), "function": request["FunctionName"]})
        result = {"status": 202, "body": self._bodies.pop(0)}
        return {"Payload": io.BytesIO(json.dumps(result).encode())}


def test_erasure_waits_for_the_report_of_the_workflow() -> None:
    functions = Functions(
        {"status": "running"},
        {"status": "running"},
        {"status": "erased", "report": REPORT, "erasedAt": "2026-11-28T12:00:00Z"},
    )
    stage = Stage("dev", "us-east-1", lambda _: functions)
    waits: list[float] = []
    student = person.Student("pool", "sub-1", "account-1", "a@b.example", {})
    report = person.erase(stage, student, waits.append)
    assert report == {**REPORT, "erasedAt": "2026-11-28T12:00:00Z"}
    assert len(waits) == 2
    # The same request is repeated, so nothing is started twice.
    (event,) = {json.dumps(it, sort_keys=True) for it in functions.events}
    assert json.loads(event)["function"] == "meridian-dev-identity"
    assert json.loads(event)["student"] == "sub-1"
    lines = person.lines_of(report)
    assert "1 coming appointments" in lines[0]
    assert "1,200 rows" in lines[-1]


scalars = st.one_of(
    st.text(max_size=9).map(lambda it: ({"S": it}, it)),
    st.integers(-9, 9).map(lambda it: ({"N": str(it)}, it)),
    st.booleans().map(lambda it: ({"BOOL": it}, it)),
    st.just(({"NULL": True}, None)),
)
pairs = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(
            lambda them: ({"L": [it[0] for it in them]}, [it[1] for it in them])
        ),
        st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda them: (
                {"M": {name: it[0] for name, it in them.items()}},
                {name: it[1] for name, it in them.items()},
            )
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), pairs, max_size=4))
def test_item_is_exported_with_its_values(items: dict[str, tuple[Any, Any]]) -> None:
    stored = {name: it[0] for name, it in items.items()} | {"proof": {"S": "secret"}}
    exported = person.plain(stored)
    assert exported == {name: it[1] for name, it in items.items() if name != "proof"}
    json.dumps(exported)
