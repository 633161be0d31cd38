"""`make destroy` of the Region that is the home of the bookings is refused."""

import io
import json
from typing import Any, Final

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.deployment import bookings_home, destroy
from tools.deployment.environments import Environment, Layout

LONDON: Final = "eu-west-2"
MUMBAI: Final = "ap-south-1"


def place(region: str) -> Environment:
    values = {"Stage": "prod", "HomeRegion": LONDON}
    return Environment(f"prod-{region}", region, "prod", f"meridian-prod-{region}", values)


HOME, FURTHER, EDGE = (place(it) for it in (LONDON, MUMBAI, "us-east-1"))
LAYOUT: Final = Layout(HOME, EDGE, (FURTHER,))

#: Region -> (home, epoch), as its function knows it; None for a Region that doesn't answer.
type Known = dict[str, tuple[str, int] | None]


def clients_of(known: Known, asked: list[str]) -> Any:
    class Functions:
        def __init__(self, region: str) -> None:
            self.region = region

        def invoke(self, **call: Any) -> dict[str, Any]:
            asked.append(self.region)
            assert call["FunctionName"] == "meridian-prod-bookings"
            assert json.loads(call["Payload"]) == {"action": "home"}
            record = known[self.region]
            if record is None:
                raise EndpointConnectionError(endpoint_url="https://lost")
            body = {"home": record[0], "epoch": record[1], "moving": False}
            answer = json.dumps({"status": 200, "body": body}).encode()
            return {"Payload": io.BytesIO(answer)}

    return lambda service, region: Functions(region) if service == "lambda" else None


records = st.none() | st.tuples(st.sampled_from([LONDON, MUMBAI]), st.integers(0, 5))


@given(st.fixed_dictionaries({LONDON: records, MUMBAI: records}))
def test_newest_record_decides(known: Known) -> None:
    answers = [it for it in known.values() if it]
    newest = {home for home, epoch in answers if epoch == max(it[1] for it in answers)}
    if newest == {MUMBAI}:
        with pytest.raises(CommandError, match=f"failover PLACE=prod-{MUMBAI} TO={LONDON}"):
            bookings_home.check_not_home(FURTHER, LAYOUT, clients_of(known, []))
    elif MUMBAI not in newest:
        bookings_home.check_not_home(FURTHER, LAYOUT, clients_of(known, []))


def test_command_of_the_local_system_names_no_place() -> None:
    clients = clients_of({LONDON: (MUMBAI, 1), MUMBAI: (MUMBAI, 1)}, [])
    with pytest.raises(CommandError, match=f"`make failover TO={LONDON}`"):
        bookings_home.check_not_home(FURTHER, LAYOUT, clients, is_local=True)


@pytest.mark.parametrize("environment", [HOME, EDGE])
def test_stage_and_edge_are_deleted_without_a_question(environment: Environment) -> None:
    """With the home go the bookings of the stage; the edge has none."""
    asked: list[str] = []
    bookings_home.check_not_home(environment, LAYOUT, clients_of({LONDON: (MUMBAI, 1)}, asked))
    assert asked == []


def test_nothing_is_deleted_before_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    clients = clients_of({LONDON: (MUMBAI, 3), MUMBAI: (MUMBAI, 3)}, [])

    class FakeAccount:
        def __init__(self, _region: str) -> None:
            self.client = clients

    monkeypatch.setattr(destroy, "layout_of", lambda _: LAYOUT)
    monkeypatch.setattr(destroy, "Account", FakeAccount)
    with pytest.raises(CommandError, match="is the home of the bookings"):
        destroy.destroy(FURTHER, FURTHER.stack_name)
