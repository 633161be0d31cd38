"""Several clients at once: everything is counted once, and a failure ends them all."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.progress import Step
from tools.replay import source
from tools.replay.batches import batches
from tools.replay.command import replay
from tools.replay.events import PageView
from tools.replay.ledger import Summary, ledger
from tools.replay.send import Sender, clients_for
from tools.replay.transport import Answer, ConnectionLostError
from tools.tests.replay.edge import WRITE_KEY, Edge
from tools.tests.strategies import page_views


class Quiet(Step):
    def _show(self) -> None:
        pass


def send(edge: Edge, views: list[PageView], directory: Path, clients: int) -> Summary:
    summary = Summary({"kind": "own"}, clients)
    with ledger(directory / "replay.json", summary) as book:
        ends = [edge.client() for _ in range(clients)]
        Sender(ends, WRITE_KEY, book, Quiet("")).run(batches(views), summary)
    return summary


@given(page_views(), st.integers(1, 5), st.sets(st.integers(0, 60)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_event_is_settled_once_and_in_order(
    tmp_path: Path, views: list[PageView], clients: int, failures: set[int]
) -> None:
    # Single failures at any place; three or more in a row would be a lost edge.
    spread = {number for number in failures if not failures & {number - 1, number - 2}}
    edge = Edge(lambda number: Answer(503, 0.0, b"") if number in spread else None)

    summary = send(edge, views, tmp_path, clients)

    assert Counter(event["messageId"] for event in edge.events) == Counter(
        view.message_id for view in views
    )
    assert (summary.sent, summary.accepted) == (len(views), len(views))
    assert summary.requests == summary.batches + summary.retried
    assert sum(summary.statuses.values()) == summary.requests
    for visitor in {view.visitor.anonymous_id for view in views}:
        assert [e["messageId"] for e in edge.events if e["anonymousId"] == visitor] == [
            view.message_id for view in views if view.visitor.anonymous_id == visitor
        ]
    with (tmp_path / summary.ledger).open(newline="") as file:
        assert sorted(int(row["line"]) for row in csv.DictReader(file)) == [v.line for v in views]


def test_a_lost_edge_ends_the_replay_with_one_sentence(tmp_path: Path) -> None:
    def lose(number: int) -> None:
        if number >= 20:
            raise ConnectionLostError("connection refused")

    edge = Edge(lose)
    day = source.modelled(requests=300, cache=tmp_path)

    with pytest.raises(CommandError) as failure:
        replay("", WRITE_KEY, day, clients=4, out=tmp_path / "r.json", make=edge.client)

    sentence = str(failure.value)
    assert sentence.startswith("The edge stopped answering (connection refused).")
    assert f"{len(edge.events):,} events had been answered by then." in sentence


def test_a_fault_of_our_own_is_not_dressed_up(tmp_path: Path) -> None:
    def fault(number: int) -> None:
        raise ZeroDivisionError

    day = source.modelled(requests=10, cache=tmp_path)

    with pytest.raises(ZeroDivisionError):
        replay("", WRITE_KEY, day, clients=2, out=tmp_path / "r.json", make=Edge(fault).client)


def test_an_edge_that_accepts_nothing_fails_the_command(tmp_path: Path) -> None:
    day = source.modelled(requests=10, cache=tmp_path)
    edge = Edge(reject=lambda _: "no_type")

    with pytest.raises(CommandError, match=r"accepted none of 10 events \(no_type 10\)"):
        replay("", WRITE_KEY, day, clients=2, out=tmp_path / "r.json", make=edge.client)


@pytest.mark.parametrize("count", [1, 64])
def test_the_number_of_clients_has_bounds(count: int) -> None:
    assert len(clients_for(count, Edge().client)) == count
    with pytest.raises(CommandError, match="--clients"):
        clients_for(65 if count == 64 else 0, Edge().client)


def test_a_summary_is_read_back(tmp_path: Path) -> None:
    summary = Summary({"kind": "own", "label": "yours"}, 3, bad_lines=Counter(time=2), sent=9)
    summary.write(tmp_path / "replay.json")

    assert Summary.read(tmp_path / "replay.json") == summary


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bad_lines": 1}'])
def test_another_file_is_no_summary(tmp_path: Path, text: str) -> None:
    (tmp_path / "replay.json").write_text(text)

    with pytest.raises(CommandError, match="no summary"):
        Summary.read(tmp_path / "replay.json")


def test_a_ledger_needs_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CommandError, match="cannot write"):
        ledger(tmp_path / "file" / "replay.json", Summary({}, 1)).__enter__()
