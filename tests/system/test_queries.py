"""System tests of the saved queries and views of Athena, which the template creates."""

from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tests.system.test_journey import event, post, stored
from tools.dev import system
from tools.stack import client

pytestmark = pytest.mark.integration

QUERIES = {it.stem: it.read_text() for it in sorted((ROOT / "lake" / "queries").glob("*.sql"))}
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


def query(running: system.System, text: str) -> list[dict[str, str | None]]:
    """Run a statement in the stage's workgroup; return the rows of its result."""
    stage, athena = running.target.stage, client("athena", running.target)
    started = athena.start_query_execution(
        QueryString=text,
        WorkGroup=f"meridian-{stage}",
        QueryExecutionContext={"Database": f"meridian_{stage}"},
    )["QueryExecutionId"]

    def ended() -> dict[str, Any] | None:
        status = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]
        return dict(status) if status["State"] in ENDED else None

    status = wait_until(ended, f"the end of {text}")
    assert status["State"] == "SUCCEEDED", status
    names, *rows = [
        [value.get("VarCharValue") for value in row["Data"]]
        for row in athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]
    ]
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def saved_queries(running: system.System) -> dict[str, str]:
    athena, group = client("athena", running.target), f"meridian-{running.target.stage}"
    ids = athena.list_named_queries(WorkGroup=group)["NamedQueryIds"]
    queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
    return {it["Name"]: it["QueryString"] for it in queries}


def test_every_saved_query_runs_in_the_workgroup(meridian: system.System) -> None:
    sent = event("page", "saved-query", properties={"path": "/saved-query"})
    assert post(meridian, "/v1/page", sent).status_code == 200
    assert stored(meridian, f"message_id = '{sent['messageId']}'", 1)
    saved = saved_queries(meridian)
    assert saved == QUERIES
    results = {name: query(meridian, text) for name, text in saved.items()}
    assert results["pages"][0].keys() == {"page_path", "views", "visitors"}
    assert sum(int(row["good"] or 0) for row in results["conservation"]) >= 1


def test_view_has_an_event_once_that_arrived_twice(meridian: system.System) -> None:
    sent = event("page", "viewed-twice", properties={"path": "/viewed-twice"})
    for _ in range(2):
        assert post(meridian, "/v1/page", sent).status_code == 200
    assert len(stored(meridian, f"message_id = '{sent['messageId']}'", 2)) == 2
    where = f"WHERE message_id = '{sent['messageId']}'"
    once = query(meridian, f"SELECT page_path, count(*) AS n FROM events_once {where} GROUP BY 1")
    assert once == [{"page_path": "/viewed-twice", "n": "1"}]
    rows = query(meridian, f"SELECT verdict FROM events {where} ORDER BY verdict")
    assert [row["verdict"] for row in rows] == ["duplicate", "good"]
