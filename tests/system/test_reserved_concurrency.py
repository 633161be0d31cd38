"""The deployment reserves concurrency as far as the account's quota allows."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tools.dev.system import System

pytestmark = pytest.mark.integration

type Request = Callable[[str], dict[str, Any]]


@pytest.fixture
def reserved(meridian: System) -> Callable[[], dict[str, int | None]]:
    """Return the reserved executions of the account workflow's functions."""
    client = meridian.target.regional_endpoint.client("lambda")

    def read() -> dict[str, int | None]:
        return {
            name: client.get_function_concurrency(
                FunctionName=f"meridian-{meridian.target.stage}-{name}"
            ).get("ReservedConcurrentExecutions")
            for name in ("notify", "import", "identity", "validate")
        }

    return read


def set_quota(running: System, executions: int) -> None:
    url = f"{running.target.endpoint}/_local/concurrency-quota?limit={executions}"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=60).close()


@pytest.fixture
def update(meridian: System) -> Iterator[Request]:
    """Return a function that updates the custom resource like CloudFormation, in a mode."""
    stage, endpoint = meridian.target.stage, meridian.target.regional_endpoint
    s3, function = endpoint.client("s3"), endpoint.client("lambda")
    bucket = "responses-of-reserved-concurrency"
    s3.create_bucket(Bucket=bucket)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "response"})
    executions = {"notify": 2, "import": 5, "identity": 10, "validate": 50}
    functions = [
        {"Name": f"meridian-{stage}-{name}", "Executions": str(number)}
        for name, number in executions.items()
    ]

    def request(mode: str) -> dict[str, Any]:
        event = {
            "RequestType": "Update",
            "ResponseURL": url,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Reservations",
            "PhysicalResourceId": "reserved-concurrency",
            "ResourceProperties": {"Mode": mode, "Functions": functions},
        }
        function.invoke(
            FunctionName=f"meridian-{stage}-reserved-concurrency",
            Payload=json.dumps(event).encode(),
        )
        response: dict[str, Any] = json.load(s3.get_object(Bucket=bucket, Key="response")["Body"])
        return response

    yield request
    set_quota(meridian, 1_000)
    request("auto")


def test_deployment_reserves_all_executions_of_an_older_account(
    meridian: System, reserved: Callable[[], dict[str, int | None]]
) -> None:
    assert reserved() == {"notify": 2, "import": 5, "identity": 10, "validate": 50}
    summary = meridian.deployed.outputs["ReservedConcurrency"]
    assert summary == "Reserved 67 of 1000 executions."


def test_new_account_reserves_nothing_unless_all_is_required(
    meridian: System, update: Request, reserved: Callable[[], dict[str, int | None]]
) -> None:
    update("none")
    set_quota(meridian, 10)
    response = update("auto")
    assert response["Status"] == "SUCCESS", response
    assert response["Data"]["Executions"] == 0
    assert set(reserved().values()) == {None}

    response = update("all")
    assert response["Status"] == "FAILED"
    assert response["Reason"].startswith("[quota] Lambda can reserve only 0 of 67 executions")


def test_small_quota_is_reserved_in_order_of_priority(
    meridian: System, update: Request, reserved: Callable[[], dict[str, int | None]]
) -> None:
    set_quota(meridian, 120)
    response = update("auto")
    assert response["Status"] == "SUCCESS", response
    assert reserved() == {"notify": 2, "import": 5, "identity": 10, "validate": None}
    assert "-validate" in response["Data"]["Summary"]
