"""Tests of the Lambda handlers: invocation events in, responses and lake objects out."""

import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

import telemetry
from stream_processor import settings
from stream_processor.errors import (
    ConservationError,
    SettingsError,
    SourceError,
    StorageError,
)
from stream_processor.handlers import changes, events, partial_batch
from stream_processor.handlers.events import EventsHandler
from stream_processor.handlers.partial_batch import RESERVE_MS
from stream_processor.ingest import invocation
from stream_processor.rows.dedup_window import DedupLimits, DedupWindow
from stream_processor.rows.event_rows import EventRows
from stream_processor.rows.lake_schema import DUPLICATE, GOOD
from stream_processor.rows.object_stats import MinuteCounts, ObjectStats
from stream_processor.storage import live_counters, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.log_names import LogName
from stream_processor.storage.s3 import Bucket
from tests.support.paths import ROOT
from tests.unit.stream_processor.fakes import LAKE, SETTINGS, Context, FakeAws, FakeS3, client_error
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed

SAMPLE_EVENTS: Final = ROOT / "events" / "stream_processor"
ENVIRONMENT: Final = {
    "LAKE_BUCKET": "lake",
    "FAILURES_BUCKET": "failures",
    "CHECKPOINTS_TABLE": "checkpoints",
    "LIVE_TABLE": "live",
    "APPOINTMENTS_TABLE": "appointments",
    "AWS_REGION": "us-east-1",
    "STAGE": "test",
}


def always() -> bool:
    return True


def rows(aws: FakeAws, prefix: str = "events/") -> list[dict[str, Any]]:
    return [row for _, body, _ in aws.objects(prefix) for row in parquet.read(body).to_pylist()]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """Patch both handlers to use fake AWS resources."""
    created = FakeAws()
    monkeypatch.setattr(events, "_handler", lambda: EventsHandler(created.app()))
    monkeypatch.setattr(changes, "_app_context", created.app)
    return created


@pytest.mark.parametrize("path", sorted(SAMPLE_EVENTS.glob("k*.json")), ids=lambda p: p.stem)
def test_events_handler_processes_every_sample_event(aws: FakeAws, path: Path) -> None:
    event = json.loads(path.read_text())
    for _ in range(2):
        answer = events.lambda_handler(event, Context())
        assert answer == {"batchItemFailures": []}
    verdicts = Counter(row["verdict"] for row in rows(aws))
    assert (
        verdicts
        == {
            "kafka": {"good": 1},
            "kinesis-collector": {"good": 2, "bad": 1},
            "kinesis-plain-json": {"good": 3},
            "kinesis-unreadable": {"bad": 3},
        }[path.stem]
    )


def test_changes_handler_processes_every_sample_event(aws: FakeAws) -> None:
    event = json.loads((SAMPLE_EVENTS / "dynamodb-changes.json").read_text())
    end = json.loads((SAMPLE_EVENTS / "dynamodb-window-end.json").read_text())
    for one in (event, event, end):
        assert changes.lambda_handler(one, Context()) == {"state": {}, "batchItemFailures": []}
    stored_rows = rows(aws, "changes/")
    assert [(row["op"], row["version"], row["by_ttl"]) for row in stored_rows] == [
        ("INSERT", 1, False),
        ("MODIFY", 2, False),
        ("REMOVE", 2, True),
    ]
    first, second, last = stored_rows
    assert json.loads(first["keys_json"]) == {
        "pk": {"S": "STUDENT#42"},
        "sk": {"S": "2026-12-01T09:00"},
    }
    assert (first["old_image_json"], last["new_image_json"]) == (None, None)
    assert json.loads(second["new_image_json"])["version"] == {"N": "2"}
    assert first["new_image_json"] == second["old_image_json"]
    assert first["shard_id"] == event["shardId"]


def test_changes_handler_logs_id_of_causing_request(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(telemetry, "info", lambda message, **fields: lines.append(fields))
    event = json.loads((SAMPLE_EVENTS / "dynamodb-changes.json").read_text())
    image = event["Records"][0]["dynamodb"]["NewImage"]
    image["correlation_id"] = {"S": "cf-1"}
    changes.lambda_handler(event, Context())
    assert rows(aws, "changes/")
    (line,) = [line for line in lines if "correlation_id" in line]
    assert line["correlation_id"] == "cf-1"
    assert line["sequence"] == event["Records"][0]["dynamodb"]["SequenceNumber"]


def test_changes_handler_runs_scheduled_reconciliation(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    event = json.loads((SAMPLE_EVENTS / "scheduled-reconciliation.json").read_text())
    answer = changes.lambda_handler(event, Context())
    assert (answer["items"], answer["repaired"]) == (0, 0)


def test_events_handler_runs_scheduled_compaction(aws: FakeAws) -> None:
    collector = json.loads((SAMPLE_EVENTS / "kinesis-collector.json").read_text())
    for shard in ("shardId-000000000000", "shardId-000000000001"):
        for record in collector["Records"]:
            record["eventID"] = f"{shard}:{record['eventID'].partition(':')[2]}"
        events.lambda_handler(collector, Context())
    (hour,) = {key.rpartition("/")[0] for key in aws.s3.list_keys()}
    event = json.loads((SAMPLE_EVENTS / "scheduled-compaction.json").read_text())
    answer = events.lambda_handler(event, Context())
    assert answer.pop("table")["files"] == 2  # the good rows, and the others
    read = [*aws.objects("events/"), *aws.objects("compacted/")]
    assert answer.pop("bytes_read") == sum(len(body) for _, body, _ in read)
    assert answer == {"compacted": 1, "known": 0, "left": 0, "not_compared": 0}
    (created,) = [key for key in aws.s3.list_keys() if key.startswith("compacted/")]
    assert created.rpartition("/")[0] == hour.replace("events/", "compacted/")


def test_records_left_without_time_are_reported_and_written_on_retry() -> None:
    aws = FakeAws(settings=replace(SETTINGS, object_events=1))
    event = kinesis_event([packed(header(), [accepted(f"m{n}")]) for n in range(3)])
    answer = EventsHandler(aws.app()).handle(event, lambda: False)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert EventsHandler(aws.app()).handle(event, always) == {"batchItemFailures": []}
    assert len(rows(aws)) == 3


def test_has_time_until_reserve_is_reached() -> None:
    assert partial_batch.has_time(Context(RESERVE_MS + 1))()
    assert not partial_batch.has_time(Context(RESERVE_MS))()


@pytest.mark.parametrize("event", [{}, {"Records": [{}]}, {"records": {"t-0": [{}]}}])
def test_stream_batches_rejects_unknown_event(event: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        invocation.stream_batches(event)


@pytest.mark.parametrize("event", [{}, {"Records": [{}]}, {"Records": [{"dynamodb": {}}]}])
def test_change_batches_rejects_unknown_event(event: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        invocation.change_batches(event)


# --- conservation of rows ---


def test_nothing_is_written_when_counts_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws()
    finish = EventRows.finish
    monkeypatch.setattr(EventRows, "finish", lambda self: finish(self).slice(1))
    with pytest.raises(ConservationError):
        EventsHandler(aws.app()).handle(kinesis_event([packed(header(), [accepted("m")])]), always)
    assert aws.s3.list_keys() == []


# --- deduplication window ---


def test_second_copy_is_duplicate_in_every_execution_environment() -> None:
    aws = FakeAws()
    for sequence in (1, 2, 3):
        event = kinesis_event([packed(header(f"r{sequence}"), [accepted("m")])], first=sequence)
        EventsHandler(aws.app()).handle(event, always)
    assert [row["verdict"] for row in rows(aws)] == [GOOD, DUPLICATE, DUPLICATE]
    (minute,) = live_counters.since(aws.app().live, "")
    assert minute[1].events == 1


@pytest.mark.parametrize("deleted", [[0], [1], [0, 1], [2], [1, 2], [0, 1, 2]])
@pytest.mark.parametrize("is_checkpoint_deleted", [False, True])
def test_redelivered_record_is_no_duplicate_of_its_own_deleted_object(
    deleted: list[int], is_checkpoint_deleted: bool
) -> None:
    """The same execution environment writes objects again that were deleted in between."""
    aws = FakeAws()
    handler = EventsHandler(aws.app())
    batches = [
        kinesis_event([packed(header(f"r{number}"), [accepted(f"m{number}")])], first=number)
        for number in range(1, 4)
    ]
    for event in batches:
        handler.handle(event, always)
    keys = [key for key, _, _ in aws.objects("events/")]
    for position in deleted:
        aws.app().lake.delete(keys[position])
    if is_checkpoint_deleted:
        aws.dynamodb.items.pop("checkpoints")
    handler.handle({"Records": [it for event in batches for it in event["Records"]]}, always)
    assert sorted((row["message_id"], row["verdict"]) for row in rows(aws)) == [
        (f"m{number}", GOOD) for number in range(1, 4)
    ]


@pytest.mark.parametrize(("seconds", "verdict"), [(3_600, DUPLICATE), (0, GOOD)])
def test_window_covers_its_seconds(seconds: int, verdict: str) -> None:
    aws = FakeAws(settings=replace(SETTINGS, window_seconds=seconds))
    for sequence, arrived in ((1, 1_795_258_800.0), (2, 1_795_258_800.0 + 3_600)):
        record = packed(header(), [accepted("m")])
        event = kinesis_event([record], first=sequence, arrived=arrived)
        EventsHandler(aws.app()).handle(event, always)
    assert rows(aws)[1]["verdict"] == verdict


@pytest.mark.parametrize(
    ("limits", "remaining"),
    [
        (DedupLimits(60, 2, 100), {"b", "c"}),
        (DedupLimits(60, 3, 3), {"a", "b", "c"}),
        (DedupLimits(60, 9, 2), {"b", "c"}),
    ],
)
def test_window_evicts_oldest_ids(limits: DedupLimits, remaining: set[str]) -> None:
    window = DedupWindow(limits)
    window.catch_up([("log", 0)], lambda *_: ())
    for number, key in enumerate("abc"):
        window.add("log", number, [key])
    assert {key for key in "abc" if key in window} == remaining


# --- live counters ---

LOG: Final = LogName.of("events", "shard", 1_795_258_800_000)


def test_live_counters_ignore_retry() -> None:
    aws = FakeAws()
    created = ObjectStats()
    created.minutes["2026-11-21T11:00"] = MinuteCounts(events=2, bots=1)
    counters = live_counters.LiveCounters(aws.app().live, LOG, 48, 2)
    now = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
    for number in (5, 5, 4):
        counters.count(number, created, now)
    counters.count(6, created, now)
    ((minute, figures),) = live_counters.since(aws.app().live, "2026-11-21T11:00")
    assert (minute, figures.events, figures.bots) == ("2026-11-21T11:00", 4, 2)
    assert list(live_counters.since(aws.app().live, "2026-11-21T11:01")) == []


def test_live_counters_keep_busiest_pages_and_sum_the_rest() -> None:
    counts = Counter({"/a": 5, "/b": 3, "/c": 1, "/d": 1, "": 1, "x" * 300: 1})
    written = live_counters.written(MinuteCounts(events=12, pages=counts), 1, 0, 2)
    named = {name: count["N"] for name, count in written["pages"]["M"].items()}
    assert named == {"/a": "5", "/b": "3", live_counters.OTHER: "4"}
    written = live_counters.written(MinuteCounts(pages=counts), 1, 0, 9)
    assert "x" * 200 in written["pages"]["M"]
    assert written["pages"]["M"][live_counters.NONE] == {"N": "1"}


def test_live_counters_skip_minutes_that_would_expire_immediately() -> None:
    aws = FakeAws()
    created = ObjectStats()
    created.minutes["2026-11-21T11:00"] = MinuteCounts(events=1)
    created.minutes["not a minute"] = MinuteCounts(events=1)
    expires = live_counters.expiry("2026-11-21T11:00", 3_600)
    assert expires is not None
    counters = live_counters.LiveCounters(aws.app().live, LOG, 1, 9)
    counters.count(1, created, expires)
    assert list(live_counters.since(aws.app().live, "")) == []
    counters.count(1, created, expires - 1)
    assert len(list(live_counters.since(aws.app().live, ""))) == 1


# --- settings, storage ---


def test_settings_error_names_invalid_variable() -> None:
    assert settings.parse(ENVIRONMENT).retention_hours == 168
    assert settings.parse(ENVIRONMENT | {"LIVE_HOURS": "1"}).live_hours == 1
    for variable in ENVIRONMENT:
        with pytest.raises(SettingsError, match=variable):
            settings.parse({**ENVIRONMENT, variable: " "})
    for invalid in ("0", "8761", "-1", "1.5", "many", ""):
        with pytest.raises(SettingsError, match="RETENTION_HOURS"):
            settings.parse(ENVIRONMENT | {"RETENTION_HOURS": invalid})
    assert settings.parse(ENVIRONMENT | {"KAFKA_PARTIAL_RESPONSE": "true"}).kafka_partial_response
    with pytest.raises(SettingsError, match="KAFKA_PARTIAL_RESPONSE"):
        settings.parse(ENVIRONMENT | {"KAFKA_PARTIAL_RESPONSE": "yes"})
    app = AppContext.from_settings(settings.parse(ENVIRONMENT))
    assert (app.lake.name, app.live.name) == ("lake", "live")


def test_conflicting_put_is_retried_with_growing_waits() -> None:
    waits: list[float] = []
    s3: Any = FakeS3(conflicts=7)
    assert Bucket(LAKE, s3, waits.append).create("key", b"", {})
    limits = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert len(waits) == len(limits)
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, limits, strict=True))
    s3 = FakeS3(conflicts=8)
    with pytest.raises(StorageError, match="conflicts"):
        Bucket(LAKE, s3, waits.append).create("key", b"", {})


def test_aws_error_becomes_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws()

    def denied(**_: Any) -> Any:
        raise client_error(403, "AccessDenied")

    for client, name in ((aws.s3, "put_object"), (aws.dynamodb, "put_item")):
        with monkeypatch.context() as patched:
            patched.setattr(client, name, denied)
            with pytest.raises(StorageError, match="AccessDenied"):
                EventsHandler(aws.app()).handle(kinesis_event([b"x"]), always)


def test_object_without_metadata_is_not_adopted() -> None:
    aws = FakeAws()
    event = kinesis_event([b"x"])
    EventsHandler(aws.app()).handle(event, always)
    (key,) = aws.s3.list_keys()
    aws.s3.objects[LAKE, key] = (b"", {})
    aws.dynamodb.items.clear()
    with pytest.raises(StorageError):
        EventsHandler(aws.app()).handle(event, always)


def test_instrumented_handler_does_not_log_its_event(capsys: pytest.CaptureFixture[str]) -> None:
    handler = telemetry.instrumented(lambda event, _: {"seen": event["secret"]})
    assert handler({"secret": "hush"}, Context()) == {"seen": "hush"}
    assert "hush" not in capsys.readouterr().out
