"""Requests that Amazon Athena refuses."""

import random
from typing import Any

import pyarrow as pa
import pytest

from aws_emulator.tests.ministack.athena import ended, new_table, new_workgroup, result
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.refusals.refusing import refused

INVALID = "InvalidRequestException"
LIMIT = 10_000_000


def test_athena_refuses_query_in_missing_or_disabled_workgroup(emulator: Emulator) -> None:
    athena, workgroup = emulator.client("athena"), new_workgroup(emulator)
    start = athena.start_query_execution
    refused(INVALID, start, QueryString="SELECT 1", WorkGroup=unique("missing"))
    athena.update_work_group(WorkGroup=workgroup, State="DISABLED")
    refused(INVALID, start, QueryString="SELECT 1", WorkGroup=workgroup)
    athena.update_work_group(WorkGroup=workgroup, State="ENABLED")
    assert result(emulator, workgroup, "default", "SELECT 1") == [["1"]]


def test_athena_cancels_query_over_the_limit(emulator: Emulator) -> None:
    # Random bytes, because the object is compressed.
    values = {"large": random.Random(1).randbytes(LIMIT), "small": b"a"}
    workgroup = new_workgroup(emulator, BytesScannedCutoffPerQuery=LIMIT)
    executions = {}
    for name, value in values.items():
        rows = pa.table({"value": pa.array([value], pa.binary())})
        table = new_table(emulator, rows, ("value", "binary"))
        query = "SELECT count(value) FROM rows"
        executions[name] = ended(emulator, workgroup, table.database, query)
    states = {name: it["Status"]["State"] for name, it in executions.items()}
    assert states == {"large": "CANCELLED", "small": "SUCCEEDED"}
    scanned = [it["Statistics"]["DataScannedInBytes"] for it in executions.values()]
    assert scanned[0] > LIMIT > scanned[1] > 0
    query_id = executions["large"]["QueryExecutionId"]
    refused(INVALID, emulator.client("athena").get_query_results, QueryExecutionId=query_id)


def workgroup_of_template(emulator: Emulator, **configuration: Any) -> str:
    """Deploy a workgroup; return the name of its stack."""
    name = unique("workgroup")
    properties = {"Name": name, "WorkGroupConfiguration": configuration}
    emulator.deploy(stack(Group={"Type": "AWS::Athena::WorkGroup", "Properties": properties}), name)
    return name


def test_athena_refuses_limit_below_10_mb(emulator: Emulator) -> None:
    with pytest.raises(AssertionError, match="BytesScannedCutoffPerQuery"):
        workgroup_of_template(emulator, BytesScannedCutoffPerQuery=str(LIMIT - 1))
    workgroup_of_template(emulator, BytesScannedCutoffPerQuery=str(LIMIT))


def test_athena_refuses_location_of_managed_results(emulator: Emulator) -> None:
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    location = {"ResultConfiguration": {"OutputLocation": "s3://results/"}}
    both = {**managed, **location}
    create = emulator.client("athena").create_work_group
    refused(INVALID, create, Name=unique("workgroup"), Configuration=both)
    with pytest.raises(AssertionError, match="OutputLocation"):
        workgroup_of_template(emulator, **both)
    workgroup_of_template(emulator, **location)


def test_athena_refuses_deletion_of_workgroup_with_queries(emulator: Emulator) -> None:
    athena, workgroup = emulator.client("athena"), new_workgroup(emulator)
    saved = {"Name": "one", "Database": "default", "QueryString": "SELECT 1"}
    athena.create_named_query(**saved, WorkGroup=workgroup)
    refused(INVALID, athena.delete_work_group, WorkGroup=workgroup)
    athena.delete_work_group(WorkGroup=workgroup, RecursiveDeleteOption=True)
    refused(INVALID, athena.get_work_group, WorkGroup=workgroup)


def test_athena_refuses_query_to_save_in_missing_workgroup(emulator: Emulator) -> None:
    saved = {"Name": "one", "Database": "default", "QueryString": "SELECT 1"}
    create = emulator.client("athena").create_named_query
    refused(INVALID, create, **saved, WorkGroup=unique("missing"))
