"""DynamoDB's units for the live data of an invocation."""

from pathlib import Path

import pytest

from benchmarks import cost_live
from tools.replay import log_source


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "1"}, 2),
        ({"N": "123"}, 3),
        ({"M": {}}, 3),
        ({"M": {"a": {"S": "bc"}}}, 7),
        ({"L": [{"S": "a"}, {"N": "10"}]}, 8),
    ],
)
def test_size_of_an_attribute_follows_the_documented_rule(
    attribute: dict[str, object], size: int
) -> None:
    assert cost_live.size_of(attribute) == size


def test_units_grow_with_the_events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = log_source.modelled_log(requests=3_000, cache=tmp_path)
    monkeypatch.setattr(log_source, "find_log", lambda: log)
    few, many = (cost_live.units.__wrapped__(events) for events in (100, 2_000))
    assert few.writes < many.writes
    assert few.reads <= many.reads < many.writes
    # The checkpoint, two minutes and the verdicts; an item of counters has 400 KB at most.
    assert few.writes >= 4
    assert many.writes <= 1 + cost_live.MINUTES * 400 + 10
