"""The commands that `make up` prints."""

import json
import shlex
import uuid

from aws_emulator.tests.rest_api.fakes import FakeServices
from tests.unit.school_api.sending import send
from tools.dev.commands import account_example


def test_printed_example_creates_an_account_and_reads_its_status() -> None:
    request_id = str(uuid.uuid4())
    first, second = account_example("http://localhost:8080", request_id).rsplit("\n", 1)
    create = shlex.split(first.replace("\\\n", ""))
    assert create[:3] == ["curl", "-s", "http://localhost:8080/api/accounts"]
    assert create[create.index("-H") + 1] == "Content-Type: application/json"
    body = create[create.index("-d") + 1]
    assert json.loads(body)["requestId"] == request_id
    services = FakeServices()
    send("POST", "/accounts", body.encode(), services, authorization="")
    assert len(services.requests) == 1  # the request matches the schema
    status = shlex.split(second)
    assert status == ["curl", "-s", f"http://localhost:8080/api/accounts/requests/{request_id}"]
