"""An alarm on a metric that nobody emits would never ring: what the doors print, and the alarms."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

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

STACK = ROOT / "stacks" / "stream.yaml"
SAMPLES = ROOT / "events" / "stream_processor"
OURS = {"Fn::Sub": "meridian-${Stage}"}

#: (metric, service, value)
type Emitted = tuple[str, str, float]


def alarms() -> dict[str, dict[str, Any]]:
    return {
        name: dict(it["Properties"])
        for name, it in of_type(STACK, "AWS::CloudWatch::Alarm").items()
    }


def emitted(printed: str) -> Iterator[Emitted]:
    """The metrics of a log, as CloudWatch reads them out of it (embedded metric format)."""
    for line in printed.splitlines():
        document = json.loads(line)
        for block in document.get("_aws", {}).get("CloudWatchMetrics", []):
            assert block["Namespace"] == "meridian-test"
            if block["Metrics"][0]["Name"] == "ColdStart":
                continue  # Powertools' own, by the name of the function
            # An alarm names every dimension of its metric, or it is of another one.
            assert block["Dimensions"] == [["service"]]
            for metric in block["Metrics"]:
                yield metric["Name"], document["service"], sum(document[metric["Name"]])


@pytest.fixture
def measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., dict[tuple[str, str], float]]]:
    """Invoke a door in a process of its own; the metrics it prints, by name and service."""

    def invoke(service: str, aws: FakeAws, event: Any) -> dict[tuple[str, str], float]:
        monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", service)
        monkeypatch.setattr(events, "_handler", lambda: EventsHandler(aws.app()))
        monkeypatch.setattr(changes, "_app_context", aws.app)
        telemetry._metrics.cache_clear()
        # Powertools keeps what other tests measured: its metrics are the process's.
        telemetry._metrics().clear_metrics()
        capsys.readouterr()
        door = events if service == "events" else changes
        with suppress(ConservationError):
            door.lambda_handler(event, Context())
        return {(name, of): value for name, of, value in emitted(capsys.readouterr().out)}

    telemetry._metrics.cache_clear()
    yield invoke
    telemetry._metrics.cache_clear()


def everything(
    measure: Callable[..., dict[tuple[str, str], float]], monkeypatch: pytest.MonkeyPatch
) -> dict[tuple[str, str], float]:
    """What both doors print when everything goes wrong that an alarm is for."""
    changed = json.loads((SAMPLES / "dynamodb-changes.json").read_text())
    unknown = json.loads(json.dumps(changed).replace('"REMOVE"', '"VANISH"'))
    night = json.loads((SAMPLES / "scheduled-comparison.json").read_text())
    recent = time.time() - 60
    for record in changed["Records"] + unknown["Records"]:
        record["dynamodb"]["ApproximateCreationDateTime"] = recent

    def seen_by(service: str, first: Any, last: Any) -> dict[tuple[str, str], float]:
        aws = FakeAws()
        found = measure(service, aws, first)
        aws.dynamodb.items.pop("checkpoints")
        return found | {key: value for key, value in measure(service, aws, last).items() if value}

    def good(sequence: int) -> Any:
        return kinesis_event([packed(header(), [accepted("m")])], sequence, arrived=recent)

    found = seen_by("events", kinesis_event([b"\xff"], 1, arrived=recent), good(2))
    found |= seen_by("changes", unknown, changed)
    missed = FakeAws(settings=replace(SETTINGS, reconcile_grace_seconds=0))
    missed.dynamodb.items["appointments"] = {("A", "x"): {"pk": {"S": "A"}, "sk": {"S": "x"}}}
    found |= measure("changes", missed, night)
    with monkeypatch.context() as patched:
        finish = EventRows.finish
        patched.setattr(EventRows, "finish", lambda self: finish(self).slice(1))
        found |= measure("events", FakeAws(), good(1))
        patched.setattr("stream_processor.rows.change_rows.counts", lambda _: {"good": 0})
        found |= measure("changes", FakeAws(), changed)
    return found


def test_every_alarm_of_ours_watches_what_the_doors_print(
    measure: Callable[..., dict[tuple[str, str], float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = everything(measure, monkeypatch)
    watched = {
        (it["MetricName"], it["Dimensions"][0]["Value"])
        for it in alarms().values()
        if it["Namespace"] == OURS
    }
    assert watched >= {
        *(
            (name, door)
            for name in ("RowsBad", "ConservationErrors", "RowsRebuilt")
            for door in ("events", "changes")
        ),
        ("ChangesRepaired", "changes"),
        ("ItemsCompared", "changes"),
    }
    for metric in watched:
        assert found.get(metric), f"{metric} is watched, and never printed"


def test_the_dimensions_are_those_that_the_metric_has() -> None:
    for name, alarm in alarms().items():
        (dimension,) = (it["Name"] for it in alarm["Dimensions"])
        expected = {
            # "Using Lambda event source mapping metrics"; "Types of metrics for Lambda functions"
            "OnFailureDestinationDeliveredEventCount": "EventSourceMappingUUID",
            "DroppedEventCount": "EventSourceMappingUUID",
            "IteratorAge": "FunctionName",
            "Errors": "FunctionName",
        }.get(alarm["MetricName"], "service")
        assert dimension == expected, name
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}], name


def test_an_alarm_of_ours_rings_at_the_first_that_is_counted() -> None:
    """But a few bad events of strangers are everyday."""
    for name, alarm in alarms().items():
        if alarm["Namespace"] == OURS and alarm["MetricName"] != "ItemsCompared":
            expected = 100 if name == "BadEvents" else 0
            assert (alarm["Threshold"], alarm["Statistic"]) == (expected, "Sum"), name
            assert alarm["TreatMissingData"] == "notBreaching", name
