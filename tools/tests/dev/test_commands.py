"""What `make up` prints can be pasted into a shell."""

import json
import shlex
import uuid

from aws_emulator.tests.rest_api.fakes import FakeServices
from tests.unit.school_api.sending import send
from tools.dev.commands import account_example


def test_the_printed_example_asks_for_an_account_and_looks_at_it() -> None:
    request_id = str(uuid.uuid4())
    first, second = account_example("http://localhost:8080", request_id).rsplit("\n", 1)
    ask = shlex.split(first.replace("\\\n", ""))
    assert ask[:3] == ["curl", "-s", "http://localhost:8080/api/accounts"]
    assert ask[ask.index("-H") + 1] == "Content-Type: application/json"
    body = ask[ask.index("-d") + 1]
    assert json.loads(body)["requestId"] == request_id
    services = FakeServices()
    send("POST", "/accounts", body.encode(), services, authorization="")
    assert len(services.requests) == 1  # the schema takes it
    look = shlex.split(second)
    assert look == ["curl", "-s", f"http://localhost:8080/api/accounts/requests/{request_id}"]
