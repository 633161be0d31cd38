"""The metrics of the servers beside MiniStack."""

import json
import urllib.request
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from aws_emulator.event_sources.target import iterator_age_ms
from aws_emulator.metrics import Metrics, of_api, of_distribution

type Add = Callable[[Metrics], None]
type Sent = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def sent_by(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return a function that runs functions with metrics, and returns what they sent."""
    received: list[dict[str, Any]] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> Any:
        assert timeout > 0
        assert request.full_url == "http://emulator/_local/metrics?account=000000000000"
        assert isinstance(request.data, bytes)
        received.extend(json.loads(request.data))
        return nullcontext()

    def run(*add: Add) -> list[dict[str, Any]]:
        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        metrics = Metrics("http://emulator")
        for each in add:
            each(metrics)
        metrics.close()
        return received

    return run


@pytest.mark.parametrize(("status", "rates"), [(200, (0, 0)), (404, (100, 0)), (502, (0, 100))])
def test_response_of_cloudfront_has_its_metrics_in_us_east_1(
    sent_by: Sent, status: int, rates: tuple[int, int]
) -> None:
    received = sent_by(lambda metrics: of_distribution(metrics, "E1", status, 12))
    assert {it["region"] for it in received} == {"us-east-1"}
    values = {it["name"]: it["values"] for it in received}
    assert values == {
        "Requests": [1],
        "BytesDownloaded": [12],
        "4xxErrorRate": [rates[0]],
        "5xxErrorRate": [rates[1]],
        "TotalErrorRate": [sum(rates)],
    }
    for metric in received:
        assert metric["dimensions"] == {"DistributionId": "E1", "Region": "Global"}


def test_responses_of_an_api_are_counted_in_its_region(sent_by: Sent) -> None:
    received = sent_by(
        *(
            lambda metrics, status=status: of_api(metrics, "ap-south-1", "notes", status, 5)
            for status in (200, 404, 503)
        )
    )
    assert {it["region"] for it in received} == {"ap-south-1"}
    totals: dict[str, float] = {}
    for metric in received:
        totals[metric["name"]] = totals.get(metric["name"], 0) + sum(metric["values"])
    assert totals == {"Count": 3, "4XXError": 1, "5XXError": 1, "Latency": 15}


def test_endpoint_that_does_not_answer_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **_named: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    metrics = Metrics("http://emulator")
    for _ in range(3):
        of_api(metrics, "us-east-1", "notes", 200, 1)
    metrics.close()
    assert capsys.readouterr().err.count("can't send") == 1


@pytest.mark.parametrize("name", ["approximateArrivalTimestamp", "ApproximateCreationDateTime"])
def test_age_is_that_of_the_last_record(name: str) -> None:
    event = json.dumps({"Records": [{name: 100.5}, {name: 101.25}]})
    assert iterator_age_ms(event, 103.25) == 2_000
    assert iterator_age_ms(event, 90.0) == 0
    assert iterator_age_ms('{"Records": []}', 103.25) is None
