"""The edge functions' log groups have a retention in each enabled Region, until the deletion."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aws_emulator.endpoint import Endpoint
from tools.dev.system import System

pytestmark = pytest.mark.integration

#: Regions with and without a regional stack, and one that an account must enable.
REGIONS = ("us-east-1", "eu-west-2", "ap-northeast-1", "af-south-1")


def retention(system: System) -> dict[tuple[str, str], int | None]:
    """Return the retention in days of each log group of an edge function, by Region and name."""
    prefixes = ("/aws/lambda/", "/aws/lambda/us-east-1.")
    days_by_group: dict[tuple[str, str], int | None] = {}
    for region in REGIONS:
        logs = Endpoint(system.target.endpoint, region).client("logs")
        for prefix in prefixes:
            for component in ("edge-auth", "edge-ingest"):
                name = f"{prefix}meridian-{system.target.stage}-{component}-"
                groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
                days_by_group |= {
                    (region, it["logGroupName"]): it.get("retentionInDays") for it in groups
                }
    return days_by_group


@pytest.fixture
def request_of_cloudformation(meridian: System) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Return a function that sends a request of CloudFormation, and returns the response."""
    endpoint, stage = meridian.target.regional_endpoint, meridian.target.stage
    s3, functions = endpoint.client("s3"), endpoint.client("lambda")
    bucket = "responses-of-edge-logs"
    s3.create_bucket(Bucket=bucket)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "response"})
    names = [
        it["FunctionName"]
        for it in functions.list_functions()["Functions"]
        if it["FunctionName"].startswith(
            (f"meridian-{stage}-edge-auth", f"meridian-{stage}-edge-i")
        )
    ]

    def send(kind: str) -> dict[str, Any]:
        event = {
            "RequestType": kind,
            "ResponseURL": url,
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "LogGroups",
            "PhysicalResourceId": "edge-logs",
            "ResourceProperties": {"Functions": names, "RetentionInDays": "30"},
        }
        functions.invoke(
            FunctionName=f"meridian-{stage}-edge-logs", Payload=json.dumps(event).encode()
        )
        response: dict[str, Any] = json.load(s3.get_object(Bucket=bucket, Key="response")["Body"])
        return response

    yield send
    send("Create")


def test_deployment_sets_retention_of_edge_logs_in_each_region(meridian: System) -> None:
    days_by_group = retention(meridian)
    # Two functions in each Region, and two more groups in the Region of the functions.
    assert len(days_by_group) == 2 * len(REGIONS) + 2
    assert set(days_by_group.values()) == {30}
    assert {region for region, _ in days_by_group} == set(REGIONS)
    summary = meridian.deployed.outputs["EdgeLogs"]
    assert summary.startswith("The logs of the edge functions expire in ")
    assert "Errors" not in summary


def test_deletion_of_stack_deletes_the_log_groups_of_edge_functions(
    meridian: System, request_of_cloudformation: Callable[[str], dict[str, Any]]
) -> None:
    response = request_of_cloudformation("Delete")
    assert response["Status"] == "SUCCESS", response
    assert retention(meridian) == {}
