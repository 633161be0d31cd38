"""Tests that every alarm watches a metric that the handlers emit, with its dimensions."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

import telemetry
from stream_processor.errors import ConservationError
from stream_processor.handlers import changes, events
from stream_processor.handlers.events import EventsHandler
from stream_processor.rows.event_rows import EventRows
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import of_type
from tests.unit.stream_processor.fakes import SETTINGS, Context, FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed

STACKS: Final = tuple(ROOT / "stacks" / f"{name}-alarms.yaml" for name in ("stream", "schedule"))
SAMPLES: Final = ROOT / "events" / "stream_processor"
NAMESPACE: Final = {"Fn::Sub": "meridian-${Stage}"}

#: (metric, service, value)
type Emitted = tuple[str, str, float]


def alarms() -> dict[str, dict[str, Any]]:
    return {
        name: dict(it["Properties"])
        for path in STACKS
        for name, it in of_type(path, "AWS::CloudWatch::Alarm").items()
    }


def emitted(printed: str) -> Iterator[Emitted]:
    """Yield the metrics of a log in the CloudWatch embedded metric format."""
    for line in printed.splitlines():
        document = json.loads(line)
        for block in document.get("_aws", {}).get("CloudWatchMetrics", []):
            assert block["Namespace"] == "meridian-test"
            if block["Metrics"][0]["Name"] == "ColdStart":
                continue  # a metric of Powertools, with function_name
            # An alarm must list every dimension of its metric, or it watches another one.
            assert block["Dimensions"] == [["service"]]
            for metric in block["Metrics"]:
                yield metric["Name"], document["service"], sum(document[metric["Name"]])


@pytest.fixture
def emitted_metrics(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., dict[tuple[str, str], float]]]:
    """Return a function that invokes a handler and returns its metrics by name and service."""

    def invoke(
        service: str, aws: FakeAws, event: Any, context: Context | None = None
    ) -> dict[tuple[str, str], float]:
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", service)
        monkeypatch.setattr(events, "_handler", lambda: EventsHandler(aws.app()))
        monkeypatch.setattr(changes, "_app_context", aws.app)
        telemetry._metrics.cache_clear()
        # Powertools' metrics are global and contain those of other tests.
        telemetry._metrics().clear_metrics()
        capsys.readouterr()
        handler = events if service == "events" else changes
        with suppress(ConservationError):
            handler.lambda_handler(event, context or Context())
        return {(name, of): value for name, of, value in emitted(capsys.readouterr().out)}

    telemetry._metrics.cache_clear()
    yield invoke
    telemetry._metrics.cache_clear()


def emit_all_metrics(
    emitted_metrics: Callable[..., dict[tuple[str, str], float]], monkeypatch: pytest.MonkeyPatch
) -> dict[tuple[str, str], float]:
    """Return the metrics of both handlers after every failure that has an alarm."""
    changed = json.loads((SAMPLES / "dynamodb-changes.json").read_text())
    unknown = json.loads(json.dumps(changed).replace('"REMOVE"', '"VANISH"'))
    scheduled = json.loads((SAMPLES / "scheduled-reconciliation.json").read_text())
    recent = time.time() - 60
    for record in changed["Records"] + unknown["Records"]:
        record["dynamodb"]["ApproximateCreationDateTime"] = recent

    def metrics_of(service: str, first: Any, last: Any) -> dict[tuple[str, str], float]:
        # Each record makes an entry.
        aws = FakeAws(settings=replace(SETTINGS, object_events=1))
        metrics = emitted_metrics(service, aws, first)
        aws.dynamodb.items.pop("checkpoints")
        return metrics | {
            key: value for key, value in emitted_metrics(service, aws, last).items() if value
        }

    def good(sequence: int) -> Any:
        return kinesis_event([packed(header(), [accepted("m")])], sequence, arrived=recent)

    all_metrics = metrics_of("events", kinesis_event([b"\xff"] * 2, 1, arrived=recent), good(3))
    all_metrics |= metrics_of("changes", unknown, changed)
    missed = FakeAws(settings=replace(SETTINGS, reconcile_grace_seconds=0))
    missed.dynamodb.items["appointments"] = {("A", "x"): {"pk": {"S": "A"}, "sk": {"S": "x"}}}
    all_metrics |= emitted_metrics("changes", missed, scheduled)
    behind = schedules_behind(emitted_metrics, changed)
    all_metrics |= {key: value for key, value in behind.items() if value}
    with monkeypatch.context() as patch:
        finish = EventRows.finish
        patch.setattr(EventRows, "finish", lambda self: finish(self).slice(1))
        all_metrics |= emitted_metrics("events", FakeAws(), good(1))
        patch.setattr("stream_processor.rows.change_rows.counts", lambda _: {"good": 0})
        all_metrics |= emitted_metrics("changes", FakeAws(), changed)
    return all_metrics


def schedules_behind(
    emitted_metrics: Callable[..., dict[tuple[str, str], float]], changed: Any
) -> dict[tuple[str, str], float]:
    """Return the metrics of both schedules without time, and with a missed reconciliation."""
    compaction = json.loads((SAMPLES / "scheduled-compaction.json").read_text())
    reconciliation = json.loads((SAMPLES / "scheduled-reconciliation.json").read_text())
    arrived = datetime.fromisoformat(compaction["scheduled_time"]) - timedelta(days=1)
    aws = FakeAws()
    for sequence in (1, 2):
        event = kinesis_event(
            [packed(header(), [accepted("m")])], sequence, arrived=arrived.timestamp()
        )
        emitted_metrics("events", aws, event)
    emitted_metrics("changes", aws, changed)
    metrics = emitted_metrics("events", aws, compaction, Context(0))
    return metrics | emitted_metrics("changes", aws, reconciliation, Context(0))


def test_every_alarm_watches_a_metric_that_a_handler_emits(
    emitted_metrics: Callable[..., dict[tuple[str, str], float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = emit_all_metrics(emitted_metrics, monkeypatch)
    watched = {
        (it["MetricName"], it["Dimensions"][0]["Value"])
        for it in alarms().values()
        if it["Namespace"] == NAMESPACE
    }
    assert watched >= {
        *(
            (name, handler)
            for name in ("RowsBad", "ConservationErrors", "RowsRebuilt")
            for handler in ("events", "changes")
        ),
        ("ChangesRepaired", "changes"),
        ("ReconciliationsOverdue", "events"),
        ("ReconciliationsUnfinished", "changes"),
        ("PartsLeftUncompacted", "events"),
    }
    for metric in watched:
        assert metrics.get(metric), f"{metric} has an alarm but isn't emitted"


def test_alarm_uses_dimension_of_its_metric() -> None:
    for name, alarm in alarms().items():
        (dimension,) = (it["Name"] for it in alarm["Dimensions"])
        expected = {
            # "Using Lambda event source mapping metrics"; "Types of metrics for Lambda functions"
            "OnFailureDestinationDeliveredEventCount": "EventSourceMappingUUID",
            "DroppedEventCount": "EventSourceMappingUUID",
            "IteratorAge": "FunctionName",
            "Errors": "FunctionName",
            "ApproximateAgeOfOldestMessage": "QueueName",
        }.get(alarm["MetricName"], "service")
        assert dimension == expected, name
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name


def test_alarm_description_links_its_runbook_entry() -> None:
    for name, alarm in alarms().items():
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=[0-9])", "-", name)
        link = f" Runbook: docs/runbook.md#{words.lower()}"
        assert alarm["AlarmDescription"].endswith(link), name
        assert len(alarm["AlarmDescription"]) <= 1_024, name  # API_PutMetricAlarm


def test_alarm_on_own_metric_has_threshold_zero_except_bad_events() -> None:
    """BadEvents tolerates up to 100: clients send some bad events every day."""
    for name, alarm in alarms().items():
        if alarm["Namespace"] == NAMESPACE:
            expected = 100 if name == "BadEvents" else 0
            assert (alarm["Threshold"], alarm["Statistic"]) == (expected, "Sum"), name
            assert alarm["TreatMissingData"] == "notBreaching", name
