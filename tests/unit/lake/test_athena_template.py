"""The template of Athena's workgroup, views and saved queries has the SQL of the repository."""

import json
from typing import Any, Final

import pytest
import sqlglot
from sqlglot import exp

from stream_processor.rows.lake_schema import EVENTS
from tests.support.paths import ROOT
from tests.unit.lake.tables import VIEWS
from tests.unit.stacks.test_templates import resources
from tools.lake_sql import athena

QUERIES: Final = sorted((ROOT / "lake" / "queries").glob("*.sql"))


def properties(kind: str) -> list[dict[str, Any]]:
    return [it["Properties"] for it in resources(athena.TEMPLATE).values() if it["Type"] == kind]


def views() -> dict[str, dict[str, Any]]:
    return {it["TableInput"]["Name"]: it["TableInput"] for it in properties("AWS::Glue::Table")}


def definition(view: dict[str, Any]) -> dict[str, Any]:
    """Return the document that CloudFormation encodes."""
    _, (begin, encoded, end) = view["ViewOriginalText"]["Fn::Join"]
    assert (begin, end) == ("/* Presto View: ", " */")
    decoded: dict[str, Any] = json.loads(encoded["Fn::Base64"]["Fn::Sub"])
    return decoded


def test_template_is_the_generated_one() -> None:
    """If it isn't, run `.venv/bin/python -m tools.lake_sql.athena`."""
    assert athena.TEMPLATE.read_text() == athena.template()


def test_saved_queries_are_the_files() -> None:
    saved = {it["Name"]: it["QueryString"] for it in properties("AWS::Athena::NamedQuery")}
    assert saved == {it.stem: it.read_text() for it in QUERIES}
    assert all(it["Description"].endswith(".") for it in properties("AWS::Athena::NamedQuery"))


@pytest.mark.parametrize("path", VIEWS, ids=lambda it: it.stem)
def test_view_has_the_statement_of_its_file(path: Any) -> None:
    text = definition(views()[path.stem])["originalSql"]
    (create,) = sqlglot.parse(path.read_text(), dialect="athena")
    assert isinstance(create, exp.Create)
    (select,) = sqlglot.parse(text, dialect="athena")
    assert select is not None
    plain = create.expression.sql(dialect="athena", comments=False)
    assert select.sql(dialect="athena", comments=False) == plain


@pytest.mark.parametrize("name", [it.stem for it in VIEWS])
def test_view_has_the_same_columns_for_glue_and_for_athena(name: str) -> None:
    view = views()[name]
    glue = [(it["Name"], it["Type"]) for it in view["StorageDescriptor"]["Columns"]]
    types = dict(athena.TYPES.values())
    expected = [{"name": column, "type": types[kind]} for column, kind in glue]
    assert definition(view)["columns"] == expected
    assert len({column for column, _ in glue}) == len(glue)
    assert view["Parameters"]["presto_view"] == "true"


def test_view_of_events_has_the_columns_of_an_event() -> None:
    names = [it["name"] for it in definition(views()["events_once"])["columns"]]
    assert names == [*EVENTS.names, "date", "hour", "copy_number"]


def test_workgroup_limits_queries_and_keeps_no_results_in_a_bucket() -> None:
    (group,) = properties("AWS::Athena::WorkGroup")
    configuration = group["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == {"Ref": "QueryScanLimitBytes"}
    assert configuration["ManagedQueryResultsConfiguration"] == {"Enabled": True}
    assert "ResultConfiguration" not in configuration


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "CREATE OR REPLACE VIEW a AS SELECT 'two  spaces'",
        "CREATE OR REPLACE VIEW a AS SELECT 'a \"quote\"'",
    ],
)
def test_statement_that_one_line_would_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain strings"):
        athena.statement_of(text)


def test_description_is_the_first_sentence_of_the_comment() -> None:
    assert athena.description("-- One. Two.\nSELECT 1") == "One."
    assert athena.description("-- One\n-- line.\nSELECT 1 -- no.") == "One line."
