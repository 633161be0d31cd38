"""The function that a mapping invokes, and where its discarded batches go."""

import json
import uuid
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from aws_emulator.event_sources.batch_rules import DiscardedBatch
from aws_emulator.event_sources.clients import Clients, domain_errors
from aws_emulator.event_sources.destinations import invocation_record, s3_key
from aws_emulator.event_sources.errors import InvalidMappingError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.responses import Outcome

#: The batch reached Lambda and cannot be run: no later try would end otherwise.
_UNRUNNABLE = {"RequestTooLargeException", "InvalidRequestContentException"}


class Target(Protocol):
    """Where batches go."""

    def invoke(self, config: EventSourceMapping, event: str) -> Outcome:
        """Call the function with the event and wait for its answer. Never raises."""

    def discard(
        self,
        config: EventSourceMapping,
        shard_id: str,
        discard: DiscardedBatch,
        event: str,
        now: float,
    ) -> None:
        """Send a discarded batch to the mapping's destination, if it has one."""


class LambdaTarget:
    """Functions and destinations over their public APIs."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def invoke(self, config: EventSourceMapping, event: str) -> Outcome:
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
            kind = "function_error" if code in _UNRUNNABLE else "not_invoked"
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

    def discard(
        self,
        config: EventSourceMapping,
        shard_id: str,
        discard: DiscardedBatch,
        event: str,
        now: float,
    ) -> None:
        arn = config.on_failure_destination
        if arn is None:
            return
        _, _, service, region, account, name = arn.split(":", 5)
        # "Because Lambda sends only the metadata for these destination types [SQS, SNS] …"; "For
        # Amazon S3 destinations, Lambda also sends the entire invocation record along with the
        # metadata." (kinesis-on-failure-destination)
        whole = event if service == "s3" else None
        document = invocation_record(config, shard_id, discard, now, whole)
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
                    f"mapping {config.uuid} has a destination that is not served"
                )


def error_type(outcome: Outcome) -> str:
    """The name of the function's error; never its message, which may hold what was in a record."""
    if outcome.kind != "function_error":
        return outcome.error or ""
    try:
        body = json.loads(outcome.body)
    except ValueError:
        return "Unknown"
    return str(body.get("errorType", "Unknown"))[:80] if isinstance(body, dict) else "Unknown"
