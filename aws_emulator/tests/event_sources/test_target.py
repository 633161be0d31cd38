"""What comes back from Lambda and from the destinations, told in the room's own words."""

import io
import json
from typing import Any

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

NOW = 1_767_225_661.0
DISCARD = DiscardedBatch(Batch(tuple(kinesis_records([b"x"]))), "RecordAgeExceeded")


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # the rest is not read
        "Operation",
    )


class FakeAws:
    """Every client that a target uses; it answers or raises what it is given."""

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


def test_an_answer() -> None:
    assert invoke(answer(ExecutedVersion="7")) == Outcome(
        "returned", body=b'{"batchItemFailures": []}', request_id="r-1", version="7"
    )


def test_an_error_of_the_function() -> None:
    outcome = invoke(answer(FunctionError="Unhandled"))
    assert (outcome.kind, outcome.error) == ("function_error", "Unhandled")


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (refusal("TooManyRequestsException", 429), "TooManyRequestsException"),
        (refusal("ServiceException", 500), "ServiceException"),
        (refusal("ResourceNotFoundException", 404), "ResourceNotFoundException"),
        (EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError"),
        (ConnectionClosedError(endpoint_url="http://x"), "ConnectionClosedError"),
        (ResponseParserError("half an answer"), "ResponseParserError"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_what_did_not_reach_the_function_costs_no_retry(raised: Exception, error: str) -> None:
    outcome = invoke(raised)
    assert (outcome.kind, outcome.error) == ("not_invoked", error)


def test_a_batch_that_lambda_cannot_take_is_a_failed_one() -> None:
    assert invoke(refusal("RequestTooLargeException", 413)).kind == "function_error"


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
def test_only_the_name_of_an_error_is_told(outcome: Outcome, name: str) -> None:
    assert error_type(outcome) == name


def discard(arn: str) -> FakeAws:
    aws = FakeAws({"QueueUrl": "http://queue"})
    config = mapping({"DestinationConfig": {"OnFailure": {"Destination": arn}}})
    LambdaTarget(aws).discard(config, "shard", DISCARD, '{"Records":["all"]}', NOW)  # type: ignore[arg-type]  # a fake
    return aws


def test_a_queue_in_its_own_region_gets_the_metadata() -> None:
    aws = discard("arn:aws:sqs:eu-west-2:000000000000:discards")
    (_, named), (name, sent) = aws.calls
    assert aws.regions == ["eu-west-2"]
    assert named == {"QueueName": "discards", "QueueOwnerAWSAccountId": "000000000000"}
    assert (name, sent["QueueUrl"]) == ("send_message", "http://queue")
    document = json.loads(sent["MessageBody"])
    assert document["requestContext"]["functionArn"] == FUNCTION_ARN
    assert "payload" not in document


def test_a_topic_gets_the_metadata() -> None:
    arn = "arn:aws:sns:eu-west-2:000000000000:discards"
    ((name, sent),) = discard(arn).calls
    assert (name, sent["TopicArn"]) == ("publish", arn)
    assert "payload" not in json.loads(sent["Message"])


def test_a_bucket_gets_the_whole_event() -> None:
    ((name, sent),) = discard("arn:aws:s3:::discards").calls
    assert (name, sent["Bucket"]) == ("put_object", "discards")
    assert sent["Key"].startswith(f"aws/lambda/{mapping().uuid}/shard/2026/01/01/")
    assert json.loads(sent["Body"])["payload"] == '{"Records":["all"]}'


def test_another_kind_of_destination_is_refused() -> None:
    with pytest.raises(InvalidMappingError):
        discard("arn:aws:events:eu-west-2:000000000000:bus")


def test_without_a_destination_nothing_is_sent() -> None:
    aws = FakeAws()
    LambdaTarget(aws).discard(mapping(), "shard", DISCARD, "{}", NOW)  # type: ignore[arg-type]  # a fake
    assert aws.calls == []


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (refusal("ExpiredIteratorException", 400), ExpiredIteratorError),
        (refusal("TrimmedDataAccessException", 400), TrimmedDataError),
        (refusal("ResourceNotFoundException", 400), StreamNotFoundError),
        (refusal("ProvisionedThroughputExceededException", 400), ServiceError),
        (ResponseParserError("half an answer"), ServiceError),
        (EndpointConnectionError(endpoint_url="http://x"), UnreachableError),
    ],
)
def test_an_sdk_error_becomes_one_of_the_room(
    raised: Exception, expected: type[PollerError]
) -> None:
    with pytest.raises(PollerError) as caught, domain_errors():
        raise raised
    assert type(caught.value) is expected
