"""Contracts of the patches for the condition keys of policies."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.roles import client_with
from aws_emulator.tests.ministack.running import Emulator, unique


def batch_read_attributes(emulator: Emulator) -> None:
    """A role for two attributes reads these in a batch, and neither others nor all."""
    table = unique("batch")
    emulator.client("dynamodb").create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    stored = {name: {"S": "1"} for name in ("pk", "status", "email")}
    emulator.client("dynamodb").put_item(TableName=table, Item=stored)
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:BatchGetItem",
        "Resource": f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}",
        "Condition": {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "status"]},
            "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
        },
    }
    reader = client_with(emulator, table, statement, "dynamodb")

    def read(**projection: Any) -> dict[str, Any]:
        request = {"Keys": [{"pk": {"S": "1"}}], **projection}
        (item,) = reader.batch_get_item(RequestItems={table: request})["Responses"][table]
        return dict(item)

    named = {"ExpressionAttributeNames": {"#s": "status"}}
    assert read(ProjectionExpression="pk, #s", **named) == {"pk": {"S": "1"}, "status": {"S": "1"}}
    for projection in ({"ProjectionExpression": "pk, email"}, {}):
        with pytest.raises(ClientError, match="AccessDenied"):
            read(**projection)
