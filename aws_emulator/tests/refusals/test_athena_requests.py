"""Requests of queries that Amazon Athena refuses."""

import json

import pytest

from aws_emulator.tests.ministack.athena import ended, new_workgroup
from aws_emulator.tests.ministack.roles import client_of_user
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.refusals.refusing import refused, unchecked_client

INVALID = "InvalidRequestException"
#: The least length of a ClientRequestToken.
TOKEN = 32


def test_athena_refuses_empty_query_and_short_token(emulator: Emulator) -> None:
    athena, workgroup = unchecked_client(emulator, "athena"), new_workgroup(emulator)
    start = athena.start_query_execution
    refused(INVALID, start, QueryString="", WorkGroup=workgroup)
    query = {"QueryString": "SELECT 1", "WorkGroup": workgroup}
    refused(INVALID, start, **query, ClientRequestToken="t" * (TOKEN - 1))
    token = unique("token").ljust(TOKEN, "t")
    ids = {
        start(**query, ClientRequestToken=token)["QueryExecutionId"],
        start(**query, ClientRequestToken=token)["QueryExecutionId"],
    }
    assert len(ids) == 1


def test_athena_refuses_page_of_over_50_saved_queries(emulator: Emulator) -> None:
    athena, workgroup = unchecked_client(emulator, "athena"), new_workgroup(emulator)
    assert athena.list_named_queries(WorkGroup=workgroup, MaxResults=50)["NamedQueryIds"] == []
    refused(INVALID, athena.list_named_queries, WorkGroup=workgroup, MaxResults=51)


def test_athena_refuses_query_of_another_workgroup(emulator: Emulator) -> None:
    allowed, other = new_workgroup(emulator), new_workgroup(emulator)
    users, name = emulator.client("iam"), unique("reader")
    reader = client_of_user(emulator, name, "athena")
    statement = {
        "Effect": "Allow",
        "Action": ["athena:GetQueryExecution", "athena:GetNamedQuery"],
        "Resource": f"arn:aws:athena:us-east-1:*:workgroup/{allowed}",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    users.put_user_policy(UserName=name, PolicyName="read", PolicyDocument=document)
    for workgroup in (allowed, other):
        saved = emulator.client("athena").create_named_query(
            Name="one", Database="default", QueryString="SELECT 1", WorkGroup=workgroup
        )
        execution = ended(emulator, workgroup, "default", "SELECT 1")
        query_id = execution["QueryExecutionId"]
        if workgroup == allowed:
            reader.get_named_query(NamedQueryId=saved["NamedQueryId"])
            reader.get_query_execution(QueryExecutionId=query_id)
        else:
            denied = "AccessDeniedException"
            refused(denied, reader.get_named_query, NamedQueryId=saved["NamedQueryId"])
            refused(denied, reader.get_query_execution, QueryExecutionId=query_id)


@pytest.mark.parametrize(
    ("query", "state"),
    [
        ("-- a comment\n SELECT 1", "SUCCEEDED"),
        ("WITH one AS (SELECT 1) SELECT * FROM one;", "SUCCEEDED"),
        ("COPY (SELECT 1) TO '/tmp/rows.csv'", "FAILED"),
        ("SELECT 1; SELECT 2", "FAILED"),
        ("SELECT * FROM read_csv('/etc/hostname')", "FAILED"),
        ("SELECT * FROM '/etc/hostname'", "FAILED"),
        ("SELECT * FROM glob('/etc/*')", "FAILED"),
    ],
)
def test_athena_fails_query_that_does_more_than_read_tables(
    emulator: Emulator, query: str, state: str
) -> None:
    execution = ended(emulator, new_workgroup(emulator), "default", query)
    assert execution["Status"]["State"] == state, execution["Status"]
