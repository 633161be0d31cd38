"""Athena's view over the lakes of all Regions, as CloudFormation puts its statements together."""

import json
from typing import Any, Final

import duckdb
import pytest
import sqlglot

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources
from tools.lake_sql import athena_regions
from tools.lake_sql.tables import CATALOG, columns, duckdb_type

TABLES: Final = ROOT / "stacks" / "lake-region-tables.yaml"
HOME: Final = "eu-west-2"
FURTHER: Final = ("ap-south-1", "us-east-1", "sa-east-1", "eu-west-1")


def resolved(value: Any, replicas: tuple[str, ...]) -> str:
    """Return the text of a property in a home Region with some replicas."""
    parameters = {"AWS::Region": HOME, "LakeDatabase": "meridian_dev"}
    parameters |= {f"Replica{n}": region for n, region in enumerate(replicas, 1)}
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::If":
        condition, then, otherwise = argument
        exists = condition.removeprefix("Has") in parameters
        return resolved(then if exists else otherwise, replicas)
    if function == "Fn::Sub":
        text = str(argument)
        for name, region in parameters.items():
            text = text.replace(f"${{{name}}}", region)
        assert "${" not in text
        return text
    if function == "Fn::Base64":
        return resolved(argument, replicas)
    assert function == "Fn::Join"
    return "".join(resolved(it, replicas) for it in argument[1])


def views() -> dict[str, dict[str, Any]]:
    return {
        it["Properties"]["TableInput"]["Name"]: it["Properties"]["TableInput"]
        for it in resources(athena_regions.TEMPLATE).values()
        if it["Type"] == "AWS::Glue::Table"
    }


def definition(view: dict[str, Any], replicas: tuple[str, ...]) -> dict[str, Any]:
    text = resolved(view["ViewOriginalText"], replicas)
    document = text.removeprefix("/* Presto View: ").removesuffix(" */")
    decoded: dict[str, Any] = json.loads(document)
    return decoded


def opened(replicas: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
    """Return a connection with the tables of each Region, and the template's views."""
    connection = duckdb.connect(":memory:")
    for suffix in ("", *(f"_region_{n}" for n, _ in enumerate(replicas, 1))):
        for name, typed in columns().items():
            listed = ", ".join(f'"{column}" {kind}' for column, kind in typed.items())
            connection.execute(f"CREATE TABLE {name}{suffix} ({listed})")
    for name, view in views().items():
        sql = definition(view, replicas)["originalSql"]
        (statement,) = sqlglot.transpile(sql, read="athena", write="duckdb")
        connection.execute(f"CREATE VIEW {name} AS {statement}")
    return connection


def store(connection: duckdb.DuckDBPyConnection, table: str, message: str, hour: str) -> None:
    connection.execute(
        f"INSERT INTO {table} (verdict, source, message_id, date, hour, object_id) "
        f"VALUES ('good', 'portal', '{message}', '2026-11-21', '{hour}', 1)"
    )


def test_template_is_the_generated_one() -> None:
    """If it isn't, run `tools.lake_sql.athena_regions`."""
    assert athena_regions.TEMPLATE.read_text() == athena_regions.template()


def test_event_of_two_regions_is_counted_where_it_arrived_first() -> None:
    with opened(FURTHER[:2]) as connection:
        store(connection, "events", "both", "10")
        store(connection, "events_region_1", "both", "09")
        store(connection, "events_region_1", "own", "11")
        store(connection, "events_region_2", "third", "12")
        rows = connection.execute(
            "SELECT message_id, lake_region FROM events_once_all_regions ORDER BY message_id"
        ).fetchall()
    assert rows == [("both", "ap-south-1"), ("own", "ap-south-1"), ("third", "us-east-1")]


@pytest.mark.parametrize("count", range(len(FURTHER) + 1))
def test_view_has_the_lakes_of_the_stage(count: int) -> None:
    replicas = FURTHER[:count]
    with opened(replicas) as connection:
        for number, _ in enumerate(replicas, 1):
            store(connection, f"events_region_{number}", f"m{number}", "10")
        store(connection, "events", "m0", "10")
        rows = connection.execute(
            "SELECT lake_region FROM events_once_all_regions ORDER BY message_id"
        ).fetchall()
    assert [region for (region,) in rows] == [HOME, *replicas]


@pytest.mark.parametrize("name", views())
def test_view_has_the_columns_of_its_statement(name: str) -> None:
    view = views()[name]
    listed = [(it["Name"], duckdb_type(it["Type"])) for it in view["StorageDescriptor"]["Columns"]]
    with opened(FURTHER) as connection:
        described = connection.execute(f"DESCRIBE {name}").fetchall()
    aliases = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
    assert listed == [(row[0], aliases.get(row[1], row[1])) for row in described]
    engine = [it["name"] for it in definition(view, FURTHER)["columns"]]
    assert engine == [column for column, _ in listed]


@pytest.mark.parametrize("kind", ["events", "events_compacted"])
def test_tables_of_another_region_are_those_of_the_catalog(kind: str) -> None:
    tables = [
        {
            it["Properties"]["TableInput"]["Name"]
            if isinstance(it["Properties"]["TableInput"]["Name"], str)
            else it["Properties"]["TableInput"]["Name"]["Fn::Sub"].removesuffix("_${Suffix}"): it[
                "Properties"
            ]["TableInput"]
            for it in resources(path).values()
        }
        for path in (CATALOG, TABLES)
    ]
    own, other = (it[kind] for it in tables)
    assert other["StorageDescriptor"]["Columns"] == own["StorageDescriptor"]["Columns"]
    assert other["PartitionKeys"] == own["PartitionKeys"]
    bucket = resources(ROOT / "stacks" / "stream.yaml")["LakeBucket"]["Properties"]["BucketName"]
    lake = bucket["Fn::Sub"].replace("AWS::Region", "Region")
    for name in ("storage.location.template",):
        there = other["Parameters"].pop(name)["Fn::Sub"]
        assert there == own["Parameters"].pop(name)["Fn::Sub"].replace("${LakeBucket}", lake)
    assert other["Parameters"] == own["Parameters"]
