"""Counting the ledger that the replay wrote, with any characters in paths."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.combined_log_format import Request
from tools.replay.delivery import Delivery
from tools.replay.events import EventMaker
from tools.replay.ledger import Summary, ledger
from tools.report.ledger_counts import count_ledger
from tools.tests.strategies import log_requests

MAKER = EventMaker(site="https://s.example", digest="0" * 64, salt=b"")


@given(st.lists(st.tuples(log_requests(), st.booleans()), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ledger_counts_match_the_recorded_events(
    tmp_path: Path, sent: list[tuple[Request, bool]]
) -> None:
    summary = Summary({}, 1)
    with ledger(tmp_path / "replay.json", summary) as rows:
        for line, (request, accepted) in enumerate(sent, 1):
            view = MAKER.page_view(line, request)
            delivery = Delivery({} if accepted else {0: "no_type"}, (200,), 0)
            rows.record(Batch(view.visitor, (view,)), delivery)

    counts = count_ledger(tmp_path / summary.ledger)

    accepted_only = [request for request, accepted in sent if accepted]
    assert len(counts.accepted) == summary.accepted == len(accepted_only)
    assert counts.paths == Counter(request.path for request in accepted_only)
    assert counts.hours == Counter(request.at.hour for request in accepted_only)


@pytest.mark.parametrize("text", [None, "a,b\r\n1,2\r\n", "\xff"])
def test_count_ledger_rejects_an_invalid_file(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "replay.ledger.csv"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(CommandError, match="not the ledger"):
        count_ledger(path)
