"""Tests of the access log: the setting, the entries, and their delivery."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.rest_api.access_log import MAX_BATCH, AccessLog, AccessLogSetting
from aws_emulator.rest_api.pipeline import Stage
from aws_emulator.rest_api.throttling import Throttle
from aws_emulator.tests.rest_api import fakes, notes_api

ARN = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/apigateway/notes"
FORMAT = (
    '{"requestId":"$context.requestId","operation":"$context.resourcePath",'
    '"status":"$context.status","errorType":"$context.error.responseType",'
    '"integrationStatus":"$context.integration.status","trace":"$context.xrayTraceId"}'
)


@pytest.mark.parametrize("arn", [ARN, f"{ARN}:*"])
def test_setting_names_log_group_and_region(arn: str) -> None:
    parsed = AccessLogSetting.parse({"destinationArn": arn, "format": "x"})
    assert parsed == AccessLogSetting("/aws/apigateway/notes", "us-east-1", "x")


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"destinationArn": ARN},
        {"destinationArn": "arn:aws:firehose:us-east-1:0:deliverystream/x", "format": "x"},
    ],
)
def test_stage_without_log_group_has_no_access_log(setting: dict[str, str]) -> None:
    assert AccessLogSetting.parse(setting) is None


def entries(method: str, path: str, body: bytes = b"") -> list[dict[str, str]]:
    setting = AccessLogSetting("notes", "us-east-1", FORMAT)
    stage = Stage("abc123", "v1", notes_api.ACCOUNT, notes_api.api(), Throttle({}), setting)
    written: list[tuple[AccessLogSetting, str]] = []
    response = fakes.send(
        method, path, body, target=stage, write_log=lambda *entry: written.append(entry)
    )
    assert [it for it, _ in written] == [setting]
    document = json.loads(written[0][1])
    assert document["status"] == str(response.status)
    assert document["requestId"] == dict(response.headers)["x-amzn-requestid"]
    return [document]


def test_request_writes_entry_with_status_and_operation() -> None:
    (entry,) = entries("POST", "/notes", b'{"text": "a"}')
    assert (entry["operation"], entry["integrationStatus"]) == ("/notes", "200")
    # API Gateway writes "-" for a variable without a value.
    assert (entry["errorType"], entry["trace"]) == ("-", "-")


def test_rejected_request_writes_entry_with_response_type() -> None:
    (entry,) = entries("POST", "/notes", b"{}")
    assert entry["errorType"] == "BAD_REQUEST_BODY"
    assert entry["integrationStatus"] == "-"


class FakeLogs:
    """A CloudWatch Logs client that stores the events of one stream."""

    class exceptions:  # noqa: N801 - boto3's name
        """The client's exceptions."""

        class ResourceAlreadyExistsException(Exception):  # noqa: N818 - as above
            """The stream exists."""

    def __init__(self, failing: bool = False) -> None:
        self.failing = failing
        self.streams: dict[tuple[str, str], list[list[str]]] = {}

    def create_log_stream(self, **stream: str) -> None:
        key = (stream["logGroupName"], stream["logStreamName"])
        if key in self.streams:
            raise self.exceptions.ResourceAlreadyExistsException
        self.streams[key] = []

    def put_log_events(self, **request: Any) -> None:
        if self.failing:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutLogEvents")
        key = (request["logGroupName"], request["logStreamName"])
        self.streams[key].append([event["message"] for event in request["logEvents"]])


def test_close_sends_all_entries_in_order() -> None:
    logs = FakeLogs()
    log = AccessLog(lambda _: logs)
    texts = [str(number) for number in range(MAX_BATCH * 2 + 1)]
    for text in texts:
        log(AccessLogSetting("notes", "us-east-1", ""), text)
        log(AccessLogSetting("orders", "us-east-1", ""), text)
    log.close()
    assert {group for group, _ in logs.streams} == {"notes", "orders"}
    for batches in logs.streams.values():
        assert [text for batch in batches for text in batch] == texts
        assert max(map(len, batches)) <= MAX_BATCH


def test_entry_that_cannot_be_stored_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(lambda _: FakeLogs(failing=True))
    log(AccessLogSetting("notes", "us-east-1", ""), "a")
    log.close()
    assert "can't write 1 entries to notes" in capsys.readouterr().err
