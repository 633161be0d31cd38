"""The target of a mapping: invokes its function, and sends discarded batches to its destination."""

import json
import re
import time
import uuid
from typing import Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from aws_emulator.event_sources.batch_rules import DiscardedBatch
from aws_emulator.event_sources.clients import Clients, domain_errors
from aws_emulator.event_sources.destinations import invocation_record, s3_key
from aws_emulator.event_sources.errors import InvalidMappingError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.metrics import Metrics

#: Invoke errors that every retry of the same batch would meet again.
_PERMANENT_ERRORS: Final = {"RequestTooLargeException", "InvalidRequestContentException"}
#: The time at which a stream received a record, in Unix seconds.
_ARRIVAL: Final = re.compile(r'"[aA]pproximate(?:ArrivalTimestamp|CreationDateTime)": ?([\d.]+)')


class Target(Protocol):
    """The function and the on-failure destination of mappings."""

    def invoke(self, config: EventSourceMapping, event: str) -> Outcome:
        """Invoke the function with the event and return the outcome. Never raises."""

    def send_to_destination(
        self,
        config: EventSourceMapping,
        shard_id: str,
        discard: DiscardedBatch,
        event: str,
        now: float,
    ) -> None:
        """Send the invocation record of a discarded batch to the mapping's destination, if any.

        `event` is the event of the batch, `now` the time in Unix seconds.

        Raises:
            ServiceError: The destination's service returned an error.
            UnreachableError: The endpoint didn't respond.
            InvalidMappingError: The destination isn't a queue, a topic or a bucket.
        """


class LambdaTarget:
    """Invoke functions and send to destinations over AWS's public APIs."""

    def __init__(self, clients: Clients, metrics: Metrics | None = None) -> None:
        self._clients = clients
        self._metrics = metrics

    def invoke(self, config: EventSourceMapping, event: str) -> Outcome:
        """Invoke the mapping's function."""
        age_ms = iterator_age_ms(event, time.time())
        if self._metrics is not None and age_ms is not None:
            # Lambda, "Performance metrics": the age of the last record in the event.
            dimensions = {"FunctionName": config.function_arn.split(":")[6]}
            values = {"IteratorAge": age_ms}
            self._metrics.add(config.region, "AWS/Lambda", values, dimensions, "Milliseconds")
        try:
            answer = self._clients.lambda_invoke(config.region).invoke(
                FunctionName=config.function_arn,
                # "Lambda … invokes your function synchronously" (with-kinesis)
                InvocationType="RequestResponse",
                Payload=event.encode(),
            )
            body = answer["Payload"].read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            kind = "function_error" if code in _PERMANENT_ERRORS else "not_invoked"
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return Outcome(kind, error=code, status=status)  # type: ignore[arg-type] # a literal of two
        except (BotoCoreError, ResponseParserError, OSError) as error:
            return Outcome("not_invoked", error=type(error).__name__, status=0)
        return Outcome(
            "function_error" if answer.get("FunctionError") else "returned",
            body=body,
            error=answer.get("FunctionError"),
            request_id=answer["ResponseMetadata"].get("RequestId", ""),
            status=answer["StatusCode"],
            version=answer.get("ExecutedVersion", "$LATEST"),
        )

    def send_to_destination(
        self,
        config: EventSourceMapping,
        shard_id: str,
        discard: DiscardedBatch,
        event: str,
        now: float,
    ) -> None:
        """Send an invocation record to the mapping's on-failure destination, if it has one.

        Raises:
            ServiceError: The destination's service returned an error.
            UnreachableError: The endpoint didn't respond.
            InvalidMappingError: The destination isn't a queue, a topic or a bucket.
        """
        arn = config.on_failure_destination
        if arn is None:
            self._count(config, "DroppedEventCount", discard)
            return
        _, _, service, region, account, name = arn.split(":", 5)
        # "Because Lambda sends only the metadata for these destination types [SQS, SNS] …"; "For
        # Amazon S3 destinations, Lambda also sends the entire invocation record along with the
        # metadata." (kinesis-on-failure-destination)
        payload = event if service == "s3" else None
        document = invocation_record(config, shard_id, discard, now, payload)
        with domain_errors():
            if service == "sqs":
                queue = self._clients.sqs(region)
                url = queue.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
                queue.send_message(QueueUrl=url["QueueUrl"], MessageBody=document)
            elif service == "sns":
                self._clients.sns(region).publish(TopicArn=arn, Message=document)
            elif service == "s3":
                key = s3_key(config, shard_id, now, str(uuid.uuid4()))
                self._clients.s3(config.region).put_object(
                    Bucket=name, Key=key, Body=document.encode(), ContentType="application/json"
                )
            else:
                raise InvalidMappingError(
                    f"Mapping {config.uuid}: unsupported destination {arn}. Use SQS, SNS or S3."
                )
        self._count(config, "OnFailureDestinationDeliveredEventCount", discard)

    def _count(self, config: EventSourceMapping, name: str, discard: DiscardedBatch) -> None:
        # Lambda, "Event source mapping metrics".
        if self._metrics is not None:
            values = {name: len(discard.batch.records)}
            dimensions = {"EventSourceMappingUUID": config.uuid}
            self._metrics.add(config.region, "AWS/Lambda", values, dimensions)


def iterator_age_ms(event: str, now: float) -> float | None:
    """Return the age of the last record of an event in ms; None without a record.

    `now` is in Unix seconds.
    """
    names = ('"approximateArrivalTimestamp"', '"ApproximateCreationDateTime"')
    start = max(event.rfind(name) for name in names)
    match = _ARRIVAL.match(event, start) if start >= 0 else None
    return max(0.0, (now - float(match[1])) * 1000) if match else None


def error_type(outcome: Outcome) -> str:
    """Return the type of the function's error, without the message: it may contain record data."""
    if outcome.kind != "function_error":
        return outcome.error or ""
    try:
        body = json.loads(outcome.body)
    except ValueError:
        return "Unknown"
    return str(body.get("errorType", "Unknown"))[:80] if isinstance(body, dict) else "Unknown"
