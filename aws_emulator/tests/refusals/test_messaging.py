"""Requests that SQS, SNS, SES and EventBridge refuse."""

import json
from typing import Any

from aws_emulator.tests.ministack import contracts_emails
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.refusals.refusing import refused

MIB = 1_048_576
KIB = 1_024


def create_queue(emulator: Emulator, **attributes: str) -> str:
    suffix = ".fifo" if attributes else ""
    return str(
        emulator.client("sqs").create_queue(
            QueueName=unique("queue") + suffix, Attributes=attributes
        )["QueueUrl"]
    )


def entries(count: int, size: int = 1) -> list[dict[str, Any]]:
    return [{"Id": str(number), "MessageBody": "x" * size} for number in range(count)]


def test_sqs_refuses_message_over_1_mib(emulator: Emulator) -> None:
    url, client = create_queue(emulator), emulator.client("sqs")
    client.send_message(QueueUrl=url, MessageBody="x" * MIB)
    refused("InvalidParameterValue", client.send_message, QueueUrl=url, MessageBody="x" * (MIB + 1))


def test_sqs_refuses_batch_over_1_mib(emulator: Emulator) -> None:
    url, client = create_queue(emulator), emulator.client("sqs")
    client.send_message_batch(QueueUrl=url, Entries=entries(4, MIB // 4))
    refused(
        "AWS.SimpleQueueService.BatchRequestTooLong",
        client.send_message_batch,
        QueueUrl=url,
        Entries=entries(5, MIB // 4),
    )


def test_sqs_refuses_batch_over_10_messages(emulator: Emulator) -> None:
    url, client = create_queue(emulator), emulator.client("sqs")
    client.send_message_batch(QueueUrl=url, Entries=entries(10))
    refused(
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        client.send_message_batch,
        QueueUrl=url,
        Entries=entries(11),
    )


def test_sqs_refuses_empty_batch(emulator: Emulator) -> None:
    refused(
        "AWS.SimpleQueueService.EmptyBatchRequest",
        emulator.client("sqs").send_message_batch,
        QueueUrl=create_queue(emulator),
        Entries=[],
    )


def test_sqs_refuses_batch_with_equal_ids(emulator: Emulator) -> None:
    refused(
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        emulator.client("sqs").send_message_batch,
        QueueUrl=create_queue(emulator),
        Entries=entries(1) * 2,
    )


def test_sqs_refuses_fifo_message_without_group(emulator: Emulator) -> None:
    refused(
        "MissingParameter",
        emulator.client("sqs").send_message,
        QueueUrl=create_queue(emulator, FifoQueue="true"),
        MessageBody="x",
    )


def test_sqs_refuses_fifo_message_without_deduplication(emulator: Emulator) -> None:
    refused(
        "InvalidParameterValue",
        emulator.client("sqs").send_message,
        QueueUrl=create_queue(emulator, FifoQueue="true"),
        MessageBody="x",
        MessageGroupId="one",
    )


def test_sqs_refuses_character_outside_xml(emulator: Emulator) -> None:
    refused(
        "InvalidMessageContents",
        emulator.client("sqs").send_message,
        QueueUrl=create_queue(emulator),
        MessageBody="\x00",
    )


def test_sqs_refuses_receive_over_10_messages(emulator: Emulator) -> None:
    url, client = create_queue(emulator), emulator.client("sqs")
    client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    refused("InvalidParameterValue", client.receive_message, QueueUrl=url, MaxNumberOfMessages=11)


def test_sqs_refuses_deletion_with_unknown_receipt(emulator: Emulator) -> None:
    refused(
        "ReceiptHandleIsInvalid",
        emulator.client("sqs").delete_message,
        QueueUrl=create_queue(emulator),
        ReceiptHandle="unknown",
    )


def test_sns_refuses_message_over_256_kib(emulator: Emulator) -> None:
    client = emulator.client("sns")
    topic = client.create_topic(Name=unique("topic"))["TopicArn"]
    client.publish(TopicArn=topic, Message="x" * 256 * KIB)
    refused("InvalidParameter", client.publish, TopicArn=topic, Message="x" * (256 * KIB + 1))


def event(size: int) -> dict[str, str]:
    """Return an event entry whose source, detail type and detail have this size."""
    source, kind = "app.example", "kind"
    empty = len(source) + len(kind) + len(json.dumps({"a": ""}))
    return {"Source": source, "DetailType": kind, "Detail": json.dumps({"a": "x" * (size - empty)})}


def test_eventbridge_refuses_event_over_256_kib(emulator: Emulator) -> None:
    put = emulator.client("events").put_events
    assert put(Entries=[event(256 * KIB - 1)])["FailedEntryCount"] == 0
    refused("ValidationException", put, Entries=[event(256 * KIB + 1)])


def test_eventbridge_refuses_over_10_events(emulator: Emulator) -> None:
    put = emulator.client("events").put_events
    put(Entries=[event(100)] * 10)
    refused("ValidationException", put, Entries=[event(100)] * 11)


def test_eventbridge_rejects_detail_that_is_not_json_object(emulator: Emulator) -> None:
    answer = emulator.client("events").put_events(Entries=[{**event(100), "Detail": "text"}])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "MalformedDetail"


def test_eventbridge_rejects_event_without_source(emulator: Emulator) -> None:
    entry = {"DetailType": "kind", "Detail": "{}"}
    answer = emulator.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "InvalidArgument"


def test_eventbridge_rejects_reserved_source(emulator: Emulator) -> None:
    answer = emulator.client("events").put_events(Entries=[{**event(100), "Source": "aws.own"}])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_scheduler_refuses_token_and_action(emulator: Emulator) -> None:
    def create(**settings: str) -> None:
        emulator.client("scheduler").create_schedule(
            Name=unique("schedule"),
            ScheduleExpression="at(2030-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sqs:us-east-1:000000000000:queue",
                "RoleArn": "arn:aws:iam::000000000000:role/r",
            },
            **settings,
        )

    create(ClientToken="a" * 64, ActionAfterCompletion="DELETE")
    for name, value in (("ClientToken", "a" * 65), ("ClientToken", "a/b")):
        refused("ValidationException", create, **{name: value})
    refused("ValidationException", create, ActionAfterCompletion="STOP")


def test_ses_refuses_recipient_without_permission_in_sandbox(emulator: Emulator) -> None:
    contracts_emails.ses_identities(emulator)
