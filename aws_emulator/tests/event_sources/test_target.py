"""Tests of invoking functions, of sending to destinations, and of converting SDK errors."""

import io
import json
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from aws_emulator.event_sources.batch_rules import Batch, DiscardedBatch
from aws_emulator.event_sources.clients import domain_errors
from aws_emulator.event_sources.errors import (
    ExpiredIteratorError,
    InvalidMappingError,
    PollerError,
    ServiceError,
    StreamNotFoundError,
    TrimmedDataError,
    UnreachableError,
)
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.target import LambdaTarget, error_type
from aws_emulator.simulator.samples import FUNCTION_ARN, kinesis_records, mapping

NOW: Final = 1_767_225_661.0
DISCARD: Final = DiscardedBatch(Batch(tuple(kinesis_records([b"x"]))), "RecordAgeExceeded")


def client_error(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # other fields unused
        "Operation",
    )


class FakeAws:
    """All clients that a target uses. A call returns or raises `result`."""

    def __init__(self, result: Any = None) -> None:
        self.result = result
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.regions: list[str] = []

    def _client(self, region: str) -> "FakeAws":
        self.regions.append(region)
        return self

    lambda_invoke = sqs = sns = s3 = _client

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append((name, request))
            if isinstance(self.result, Exception):
                raise self.result
            return self.result

        return call


def invoke(result: Any) -> Outcome:
    return LambdaTarget(FakeAws(result)).invoke(mapping(), '{"Records":[]}')  # type: ignore[arg-type]  # a fake


def answer(**fields: Any) -> dict[str, Any]:
    return {
        "Payload": io.BytesIO(b'{"batchItemFailures": []}'),
        "StatusCode": 200,
        "ResponseMetadata": {"RequestId": "r-1"},
        **fields,
    }


def test_invoke_returns_response() -> None:
    assert invoke(answer(ExecutedVersion="7")) == Outcome(
        "returned", body=b'{"batchItemFailures": []}', request_id="r-1", version="7"
    )


def test_invoke_returns_function_error() -> None:
    outcome = invoke(answer(FunctionError="Unhandled"))
    assert (outcome.kind, outcome.error) == ("function_error", "Unhandled")


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (client_error("TooManyRequestsException", 429), "TooManyRequestsException"),
        (client_error("ServiceException", 500), "ServiceException"),
        (client_error("ResourceNotFoundException", 404), "ResourceNotFoundException"),
        (EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError"),
        (ConnectionClosedError(endpoint_url="http://x"), "ConnectionClosedError"),
        (ResponseParserError("truncated response"), "ResponseParserError"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_invoke_error_before_function_is_not_invoked(raised: Exception, error: str) -> None:
    outcome = invoke(raised)
    assert (outcome.kind, outcome.error) == ("not_invoked", error)


def test_oversized_request_is_function_error() -> None:
    assert invoke(client_error("RequestTooLargeException", 413)).kind == "function_error"


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (Outcome("function_error", body=b'{"errorType": "E", "errorMessage": "data"}'), "E"),
        (Outcome("function_error", body=b"nonsense"), "Unknown"),
        (Outcome("function_error", body=b"[]"), "Unknown"),
        (Outcome("not_invoked", error="TooManyRequestsException"), "TooManyRequestsException"),
        (Outcome("returned"), ""),
    ],
)
def test_error_type_omits_error_message(outcome: Outcome, name: str) -> None:
    assert error_type(outcome) == name


def discard(arn: str) -> FakeAws:
    aws = FakeAws({"QueueUrl": "http://queue"})
    config = mapping({"DestinationConfig": {"OnFailure": {"Destination": arn}}})
    LambdaTarget(aws).send_to_destination(config, "shard", DISCARD, '{"Records":["all"]}', NOW)  # type: ignore[arg-type]  # a fake
    return aws


def test_sqs_destination_in_its_region_gets_metadata() -> None:
    aws = discard("arn:aws:sqs:eu-west-2:000000000000:discards")
    (_, named), (name, sent) = aws.calls
    assert aws.regions == ["eu-west-2"]
    assert named == {"QueueName": "discards", "QueueOwnerAWSAccountId": "000000000000"}
    assert (name, sent["QueueUrl"]) == ("send_message", "http://queue")
    document = json.loads(sent["MessageBody"])
    assert document["requestContext"]["functionArn"] == FUNCTION_ARN
    assert "payload" not in document


def test_sns_destination_gets_metadata() -> None:
    arn = "arn:aws:sns:eu-west-2:000000000000:discards"
    ((name, sent),) = discard(arn).calls
    assert (name, sent["TopicArn"]) == ("publish", arn)
    assert "payload" not in json.loads(sent["Message"])


def test_s3_destination_gets_invocation_record_with_event() -> None:
    ((name, sent),) = discard("arn:aws:s3:::discards").calls
    assert (name, sent["Bucket"]) == ("put_object", "discards")
    assert sent["Key"].startswith(f"aws/lambda/{mapping().uuid}/shard/2026/01/01/")
    assert json.loads(sent["Body"])["payload"] == '{"Records":["all"]}'


def test_unsupported_destination_is_rejected() -> None:
    with pytest.raises(InvalidMappingError):
        discard("arn:aws:events:eu-west-2:000000000000:bus")


def test_discard_is_not_sent_without_destination() -> None:
    aws = FakeAws()
    LambdaTarget(aws).send_to_destination(mapping(), "shard", DISCARD, "{}", NOW)  # type: ignore[arg-type]  # a fake
    assert aws.calls == []


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (client_error("ExpiredIteratorException", 400), ExpiredIteratorError),
        (client_error("TrimmedDataAccessException", 400), TrimmedDataError),
        (client_error("ResourceNotFoundException", 400), StreamNotFoundError),
        (client_error("ProvisionedThroughputExceededException", 400), ServiceError),
        (ResponseParserError("truncated response"), ServiceError),
        (EndpointConnectionError(endpoint_url="http://x"), UnreachableError),
    ],
)
def test_sdk_error_becomes_poller_error(raised: Exception, expected: type[PollerError]) -> None:
    with pytest.raises(PollerError) as caught, domain_errors():
        raise raised
    assert type(caught.value) is expected
