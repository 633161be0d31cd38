"""The sign-ups of a Region without the accounts, in any order of losses of the home."""

import json
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from sign_ups import handler, settings
from sign_ups.errors import SettingsError
from sign_ups.home import AccountsHome
from sign_ups.waiting import WaitingRequests

MACHINE = "arn:aws:states:eu-west-2:123456789012:stateMachine:meridian-test-admit"
ENVIRONMENT = {
    "AWS_REGION": "ap-south-1",
    "HOME_REGION": "eu-west-2",
    "ADMIT_MACHINE": MACHINE,
    "QUEUE_URL": "https://sqs.ap-south-1.amazonaws.com/123456789012/meridian-test-sign-ups",
}
#: What can happen to a call: the home answers, answers too late, fails inside, or is lost.
FATES = st.sampled_from(["answers", "answers late", "fails", "lost", "throttled"])


def refusal(code: str, status: int) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Call")  # type: ignore[arg-type]


class FakeStates:
    """Step Functions in the home; its state machine stores a request once, by its ID."""

    def __init__(self) -> None:
        self.fate = "answers"
        self.stored: dict[str, str] = {}
        self.emails: Counter[str] = Counter()

    def start_sync_execution(self, **call: str) -> dict[str, Any]:
        assert call["stateMachineArn"] == MACHINE
        if self.fate == "lost":
            raise EndpointConnectionError(endpoint_url="https://home")
        if self.fate == "throttled":
            raise refusal("ThrottlingException", 400)
        if self.fate == "fails":
            return {"status": "FAILED", "input": call["input"]}
        request_id = json.loads(call["input"])["form"]["requestId"]
        if self.stored.setdefault(request_id, call["input"]) != call["input"]:
            outcome = "conflict"
        else:
            outcome = "accepted"
            self.emails[request_id] += not self.emails[request_id]
        if self.fate == "answers late":
            raise ReadTimeoutError(endpoint_url="https://home")
        output = json.dumps({"outcome": outcome})
        return {"status": "SUCCEEDED", "input": call["input"], "output": output, "more": 1}


class FakeQueue:
    """SQS, with the messages that wait."""

    def __init__(self) -> None:
        self.is_lost = False
        self.bodies: list[str] = []

    def send_message(self, **call: str) -> None:
        assert call["QueueUrl"] == ENVIRONMENT["QUEUE_URL"]
        if self.is_lost:
            raise refusal("ServiceUnavailable", 503)
        self.bodies.append(call["MessageBody"])

    def deliver(self) -> None:
        """Invoke the function with all messages; those that it doesn't return are deleted."""
        bodies = {f"m-{number}": body for number, body in enumerate(self.bodies)}
        records = [{"messageId": it, "body": bodies[it]} for it in bodies]
        failed = handler.lambda_handler({"Records": records}, None)["batchItemFailures"]
        self.bodies = [bodies[it["itemIdentifier"]] for it in failed]


def connect(patch: pytest.MonkeyPatch) -> tuple[FakeStates, FakeQueue]:
    """Return the services of the function; each test has its own."""
    states, queue = FakeStates(), FakeQueue()
    patch.setattr(handler, "home", lambda: AccountsHome(states, MACHINE))
    patch.setattr(handler, "waiting", lambda: WaitingRequests(queue, ENVIRONMENT["QUEUE_URL"]))
    return states, queue


def request(number: int = 0, name: str = "Asha Menon") -> dict[str, str]:
    form = {"requestId": f"id-{number}", "email": f"{number}@example.com", "name": name}
    text = json.dumps({"form": form})
    return {"stateMachineArn": "arn:another", "name": f"execution-{number}", "input": text}


@given(
    st.lists(st.tuples(st.integers(0, 3), FATES, st.booleans()), max_size=12),
    st.lists(FATES, max_size=6),
)
def test_each_accepted_request_is_stored_once_after_the_return(
    sent: list[tuple[int, str, bool]], deliveries: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        states, queue = connect(patch)
        accepted = set()
        for number, fate, queue.is_lost in sent:
            states.fate = fate
            answer = handler.lambda_handler(request(number), None)
            if answer["status"] == "SUCCEEDED":
                assert json.loads(answer["output"]) == {"outcome": "accepted"}
                assert answer["input"] == request(number)["input"]
                accepted.add(f"id-{number}")
            else:
                # The API then answers 503: nothing was promised.
                assert fate == "throttled" or queue.is_lost
        for states.fate in [*deliveries, "answers"]:
            queue.deliver()
    assert queue.bodies == []
    assert accepted <= states.stored.keys()
    assert set(states.emails.values()) <= {1}


def test_answer_of_the_home_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    _, queue = connect(monkeypatch)
    first = handler.lambda_handler(request(), None)
    assert (first["status"], json.loads(first["output"])) == ("SUCCEEDED", {"outcome": "accepted"})
    other = handler.lambda_handler(request(name="Another Name"), None)
    assert json.loads(other["output"]) == {"outcome": "conflict"}
    assert queue.bodies == []


def test_refusal_that_no_repetition_changes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm watches the function's errors; nothing waits in vain."""
    states, queue = connect(monkeypatch)

    def refuse(**_call: str) -> None:
        raise refusal("AccessDeniedException", 400)

    monkeypatch.setattr(states, "start_sync_execution", refuse)
    with pytest.raises(ClientError):
        handler.lambda_handler(request(), None)
    assert queue.bodies == []


def test_server_error_of_the_home_lets_the_request_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    states, queue = connect(monkeypatch)

    def fail(**_call: str) -> None:
        raise refusal("ServiceUnavailable", 503)

    monkeypatch.setattr(states, "start_sync_execution", fail)
    assert handler.lambda_handler(request(), None)["status"] == "SUCCEEDED"
    assert len(queue.bodies) == 1


@given(st.text(min_size=1, max_size=20), FATES)
def test_log_has_no_personal_data(name: str, fate: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        states, queue = connect(patch)
        lines: list[str] = []
        patch.setattr("builtins.print", lines.append)
        states.fate = fate
        handler.lambda_handler(request(7, name), None)
        queue.deliver()
    for line in map(json.loads, lines):
        assert line.keys() == {"level", "message", "correlation_id", "duration_ms"}
        assert line["correlation_id"] == "execution-7"
        assert line["message"].partition(":")[0] in {"passed on", "waits", "refused"}


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_missing_variable_is_named(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}
    with pytest.raises(SettingsError, match=name):
        settings.parse(environment)
    assert settings.parse(ENVIRONMENT).machine == MACHINE
