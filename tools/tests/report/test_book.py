"""The second count reads what the replay wrote, whatever a path holds."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.combined import Request
from tools.replay.delivery import Delivery
from tools.replay.events import EventMaker
from tools.replay.ledger import Summary, ledger
from tools.report.book import read
from tools.tests.strategies import log_requests

MAKER = EventMaker(site="https://s.example", digest="0" * 64, salt=b"")


@given(st.lists(st.tuples(log_requests(), st.booleans()), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_ledger_is_read_back(tmp_path: Path, sent: list[tuple[Request, bool]]) -> None:
    summary = Summary({}, 1)
    with ledger(tmp_path / "replay.json", summary) as rows:
        for line, (request, accepted) in enumerate(sent, 1):
            view = MAKER.page_view(line, request)
            delivery = Delivery({} if accepted else {0: "no_type"}, (200,), 0)
            rows.record(Batch(view.visitor, (view,)), delivery)

    book = read(tmp_path / summary.ledger)

    accepted_only = [request for request, accepted in sent if accepted]
    assert len(book.accepted) == summary.accepted == len(accepted_only)
    assert book.paths == Counter(request.path for request in accepted_only)
    assert book.hours == Counter(request.at.hour for request in accepted_only)


@pytest.mark.parametrize("text", [None, "a,b\r\n1,2\r\n", "\xff"])
def test_another_file_is_no_ledger(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "replay.ledger.csv"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(CommandError, match="no ledger"):
        read(path)
