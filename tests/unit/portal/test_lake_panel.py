"""The statements that the operators' page sends to Athena."""

import re
from typing import Final

import pytest
import sqlglot
from sqlglot import exp

from stream_processor.rows.lake_schema import EVENTS
from tests.support.paths import ROOT

SCRIPTS: Final = [ROOT / "web/public/js" / it for it in ("lake.js", "event-path.js")]
#: Template strings that begin with SELECT, with a day in place of each expression.
STATEMENTS: Final = [
    re.sub(r"\$\{[^}]*\}", "2026-11-28", text)
    for path in SCRIPTS
    for text in re.findall(r"`(SELECT[^`]+)`", path.read_text())
]
#: Columns that Athena adds, and those of partitions.
FURTHER: Final = {"$path", "$file_modified_time", "date", "hour"}


@pytest.mark.parametrize("text", STATEMENTS)
def test_statement_is_valid_and_reads_columns_of_the_table(text: str) -> None:
    (statement,) = sqlglot.parse(text, dialect="athena")
    assert isinstance(statement, exp.Select)
    (table,) = statement.find_all(exp.Table)
    if table.name != "events":
        return
    aliases = {it.alias for it in statement.expressions if it.alias}
    named = {it.name for it in statement.find_all(exp.Column)}
    assert named - aliases <= set(EVENTS.names) | FURTHER


def test_each_statement_is_found() -> None:
    tables = [sqlglot.parse_one(it, dialect="athena").find(exp.Table) for it in STATEMENTS]
    names = sorted(it.name for it in tables if it is not None)
    assert names == ["events", "events", "events", "events_iceberg$snapshots"]
