"""Concurrent clients: each event counts once, and a failure stops all of them."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.progress import Step
from tools.replay import log_source
from tools.replay.batches import batches
from tools.replay.command import replay
from tools.replay.events import PageView
from tools.replay.http_client import ConnectionLostError, Response
from tools.replay.ledger import Summary, ledger
from tools.replay.sender import Sender, make_clients
from tools.tests.replay.fake_collector import WRITE_KEY, FakeCollector
from tools.tests.strategies import page_views


class Quiet(Step):
    def _show(self) -> None:
        pass


def send(collector: FakeCollector, views: list[PageView], directory: Path, clients: int) -> Summary:
    summary = Summary({"kind": "own"}, clients)
    with ledger(directory / "replay.json", summary) as rows:
        http_clients = [collector.client() for _ in range(clients)]
        Sender(http_clients, WRITE_KEY, rows, Quiet("")).run(batches(views), summary)
    return summary


@given(page_views(), st.integers(1, 5), st.sets(st.integers(0, 60)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sender_delivers_each_event_once_and_in_order(
    tmp_path: Path, views: list[PageView], clients: int, failures: set[int]
) -> None:
    # Single failures at any place; three in a row would end the replay.
    spread = {number for number in failures if not failures & {number - 1, number - 2}}
    collector = FakeCollector(lambda number: Response(503, 0.0, b"") if number in spread else None)

    summary = send(collector, views, tmp_path, clients)

    assert Counter(event["messageId"] for event in collector.events) == Counter(
        view.message_id for view in views
    )
    assert (summary.sent, summary.accepted) == (len(views), len(views))
    assert summary.requests == summary.batches + summary.retried
    assert sum(summary.statuses.values()) == summary.requests
    for visitor in {view.visitor.anonymous_id for view in views}:
        assert [e["messageId"] for e in collector.events if e["anonymousId"] == visitor] == [
            view.message_id for view in views if view.visitor.anonymous_id == visitor
        ]
    with (tmp_path / summary.ledger).open(newline="") as file:
        assert sorted(int(row["line"]) for row in csv.DictReader(file)) == [v.line for v in views]


def test_replay_fails_when_the_collector_is_unreachable(tmp_path: Path) -> None:
    def lose(number: int) -> None:
        if number >= 20:
            raise ConnectionLostError("connection refused")

    collector = FakeCollector(lose)
    day = log_source.modelled_log(requests=300, cache=tmp_path)

    with pytest.raises(CommandError) as failure:
        replay("", WRITE_KEY, day, clients=4, out=tmp_path / "r.json", make=collector.client)

    message = str(failure.value)
    assert message.startswith("The collector stopped answering: connection refused.")
    assert f"{len(collector.events):,} events had been answered before." in message


def test_sender_raises_unexpected_exceptions_unchanged(tmp_path: Path) -> None:
    def fault(number: int) -> None:
        raise ZeroDivisionError

    day = log_source.modelled_log(requests=10, cache=tmp_path)

    with pytest.raises(ZeroDivisionError):
        replay(
            "", WRITE_KEY, day, clients=2, out=tmp_path / "r.json", make=FakeCollector(fault).client
        )


def test_replay_fails_when_no_event_is_accepted(tmp_path: Path) -> None:
    day = log_source.modelled_log(requests=10, cache=tmp_path)
    collector = FakeCollector(reject=lambda _: "no_type")

    with pytest.raises(CommandError, match="accepted 0 of 10 events: no_type 10"):
        replay("", WRITE_KEY, day, clients=2, out=tmp_path / "r.json", make=collector.client)


@pytest.mark.parametrize("count", [1, 64])
def test_number_of_clients_is_from_1_to_64(count: int) -> None:
    assert len(make_clients(count, FakeCollector().client)) == count
    with pytest.raises(CommandError, match="--clients"):
        make_clients(65 if count == 64 else 0, FakeCollector().client)


def test_summary_is_read_as_written(tmp_path: Path) -> None:
    summary = Summary({"kind": "own", "label": "yours"}, 3, bad_lines=Counter(time=2), sent=9)
    summary.write(tmp_path / "replay.json")

    assert Summary.read(tmp_path / "replay.json") == summary


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bad_lines": 1}'])
def test_summary_read_rejects_an_invalid_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "replay.json").write_text(text)

    with pytest.raises(CommandError, match="not the summary"):
        Summary.read(tmp_path / "replay.json")


def test_ledger_fails_when_its_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CommandError, match="Can't write"):
        ledger(tmp_path / "file" / "replay.json", Summary({}, 1)).__enter__()
