"""Requests that DynamoDB refuses."""

from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator
from aws_emulator.tests.refusals.refusing import create_table, refused

INVALID = "ValidationException"


def key(text: str = "a") -> dict[str, Any]:
    return {"id": {"S": text}}


def test_dynamodb_refuses_empty_key_value(emulator: Emulator) -> None:
    put = emulator.client("dynamodb").put_item
    assert "empty string" in refused(INVALID, put, TableName=create_table(emulator), Item=key(""))


def test_dynamodb_refuses_item_over_400_kb(emulator: Emulator) -> None:
    table, put = create_table(emulator), emulator.client("dynamodb").put_item
    # Names and values count: "id", "a", "body" and the value.
    longest = 400 * 1024 - len("id" + "a" + "body")
    put(TableName=table, Item={**key(), "body": {"S": "x" * longest}})
    message = refused(
        INVALID, put, TableName=table, Item={**key(), "body": {"S": "x" * (longest + 1)}}
    )
    assert "Item size has exceeded" in message


def test_dynamodb_refuses_update_that_grows_item_over_400_kb(emulator: Emulator) -> None:
    table, client = create_table(emulator), emulator.client("dynamodb")
    client.put_item(TableName=table, Item={**key(), "body": {"S": "x" * 300_000}})
    message = refused(
        INVALID,
        client.update_item,
        TableName=table,
        Key=key(),
        UpdateExpression="SET more = :more",
        ExpressionAttributeValues={":more": {"S": "x" * 200_000}},
    )
    assert "size" in message


def test_dynamodb_refuses_long_key_values(emulator: Emulator) -> None:
    table, put = create_table(emulator, sort_key=True), emulator.client("dynamodb").put_item
    longest = {"id": {"S": "i" * 2048}, "at": {"S": "a" * 1024}}
    put(TableName=table, Item=longest)
    refused(INVALID, put, TableName=table, Item={**longest, "id": {"S": "i" * 2049}})
    refused(INVALID, put, TableName=table, Item={**longest, "at": {"S": "a" * 1025}})


@pytest.mark.parametrize("word", ["name", "status", "ttl", "timestamp", "Region"])
def test_dynamodb_refuses_reserved_word_in_expression(emulator: Emulator, word: str) -> None:
    message = refused(
        INVALID,
        emulator.client("dynamodb").update_item,
        TableName=create_table(emulator),
        Key=key(),
        UpdateExpression=f"SET {word} = :value",
        ExpressionAttributeValues={":value": {"S": "x"}},
    )
    assert "reserved keyword" in message


def test_dynamodb_refuses_unused_expression_value(emulator: Emulator) -> None:
    message = refused(
        INVALID,
        emulator.client("dynamodb").update_item,
        TableName=create_table(emulator),
        Key=key(),
        UpdateExpression="SET a = :a",
        ExpressionAttributeValues={":a": {"S": "x"}, ":b": {"S": "x"}},
    )
    assert "unused" in message


def test_dynamodb_refuses_update_of_key_attribute(emulator: Emulator) -> None:
    refused(
        INVALID,
        emulator.client("dynamodb").update_item,
        TableName=create_table(emulator),
        Key=key(),
        UpdateExpression="SET id = :id",
        ExpressionAttributeValues={":id": {"S": "b"}},
    )


def test_dynamodb_refuses_transaction_over_100_actions(emulator: Emulator) -> None:
    table, write = create_table(emulator), emulator.client("dynamodb").transact_write_items
    actions = [{"Put": {"TableName": table, "Item": key(str(n))}} for n in range(101)]
    write(TransactItems=actions[:100])
    refused(INVALID, write, TransactItems=actions)


def test_dynamodb_refuses_two_actions_on_one_item(emulator: Emulator) -> None:
    table = create_table(emulator)
    message = refused(
        INVALID,
        emulator.client("dynamodb").transact_write_items,
        TransactItems=[
            {"Put": {"TableName": table, "Item": key()}},
            {"Delete": {"TableName": table, "Key": key()}},
        ],
    )
    assert "multiple operations on one item" in message


def test_dynamodb_refuses_transaction_over_4_mb(emulator: Emulator) -> None:
    table, write = create_table(emulator), emulator.client("dynamodb").transact_write_items
    body = {"S": "x" * 390_000}
    actions = [
        {"Put": {"TableName": table, "Item": {**key(str(n)), "body": body}}} for n in range(11)
    ]
    write(TransactItems=actions[:10])
    refused(INVALID, write, TransactItems=actions)


def test_dynamodb_refuses_other_request_with_same_token(emulator: Emulator) -> None:
    table, write = create_table(emulator), emulator.client("dynamodb").transact_write_items

    def actions(text: str) -> list[dict[str, Any]]:
        return [{"Put": {"TableName": table, "Item": key(text)}}]

    for _ in range(2):
        write(TransactItems=actions("a"), ClientRequestToken="token")
    refused(
        "IdempotentParameterMismatchException",
        write,
        TransactItems=actions("b"),
        ClientRequestToken="token",
    )


def test_dynamodb_refuses_batch_write_over_25_items(emulator: Emulator) -> None:
    table, write = create_table(emulator), emulator.client("dynamodb").batch_write_item
    puts = [{"PutRequest": {"Item": key(str(n))}} for n in range(26)]
    write(RequestItems={table: puts[:25]})
    refused(INVALID, write, RequestItems={table: puts})


def test_dynamodb_refuses_duplicates_in_batch(emulator: Emulator) -> None:
    table, client = create_table(emulator), emulator.client("dynamodb")
    put = {"PutRequest": {"Item": key()}}
    refused(INVALID, client.batch_write_item, RequestItems={table: [put, put]})
    refused(INVALID, client.batch_get_item, RequestItems={table: {"Keys": [key(), key()]}})


def test_dynamodb_refuses_batch_get_over_100_items(emulator: Emulator) -> None:
    table, get = create_table(emulator), emulator.client("dynamodb").batch_get_item
    keys = [key(str(n)) for n in range(101)]
    get(RequestItems={table: {"Keys": keys[:100]}})
    refused(INVALID, get, RequestItems={table: {"Keys": keys}})


def test_dynamodb_refuses_number_over_38_digits(emulator: Emulator) -> None:
    table, put = create_table(emulator), emulator.client("dynamodb").put_item
    put(TableName=table, Item={**key(), "n": {"N": "9" * 38}})
    refused(INVALID, put, TableName=table, Item={**key(), "n": {"N": "1" * 39}})


def test_dynamodb_refuses_empty_set(emulator: Emulator) -> None:
    put = emulator.client("dynamodb").put_item
    refused(INVALID, put, TableName=create_table(emulator), Item={**key(), "tags": {"SS": []}})


def test_dynamodb_refuses_query_without_partition_key(emulator: Emulator) -> None:
    refused(
        INVALID,
        emulator.client("dynamodb").query,
        TableName=create_table(emulator, sort_key=True),
        KeyConditionExpression="#at = :at",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":at": {"S": "x"}},
    )


def test_dynamodb_reports_failed_condition_of_transaction(emulator: Emulator) -> None:
    table, client = create_table(emulator), emulator.client("dynamodb")
    put = {"TableName": table, "Item": key(), "ConditionExpression": "attribute_not_exists(id)"}
    client.put_item(**put)
    message = refused(
        "TransactionCanceledException", client.transact_write_items, TransactItems=[{"Put": put}]
    )
    assert "[ConditionalCheckFailed]" in message
