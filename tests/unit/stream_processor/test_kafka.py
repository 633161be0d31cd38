"""Tests of Kafka's records: times that producers choose, topics made anew, several clusters."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_processor.errors import UnfinishedError
from stream_processor.handlers.events import EventsHandler
from stream_processor.ingest import arrival_times, invocation
from stream_processor.repair.verify import Verifier
from tests.support.examples import at_most
from tests.unit.stream_processor.fake_streams import FakeStreams
from tests.unit.stream_processor.fakes import SETTINGS, FakeAws, FakeS3
from tests.unit.stream_processor.sample_records import plain
from tests.unit.stream_processor.test_handlers import SAMPLE_EVENTS, always, rows

NOW: Final = int(datetime(2026, 11, 27, 10, tzinfo=UTC).timestamp() * 1000)
MSK: Final = "arn:aws:kafka:us-east-1:000000000000:cluster/one/uuid-1"

type Record = tuple[int, int]


def kafka_event(records: Sequence[Record], arn: str | None = MSK, **more: Any) -> dict[str, Any]:
    """Return an invocation event; a record is (offset, timestamp), and its id has both."""
    return {
        **({"eventSourceArn": arn} if arn else {}),
        **more,
        "records": {
            "clicks-0": [
                {
                    "topic": "clicks",
                    "partition": 0,
                    "offset": offset,
                    "timestamp": timestamp,
                    "value": base64.b64encode(
                        plain(type="page", messageId=f"{offset}@{timestamp}")
                    ).decode(),
                }
                for offset, timestamp in records
            ]
        },
    }


def deliver(aws: FakeAws, event: Mapping[str, Any]) -> None:
    assert EventsHandler(aws.app()).handle(event, always) == {"batchItemFailures": []}


def written(aws: FakeAws) -> list[str]:
    return sorted(row["message_id"] for row in rows(aws))


def count_listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    prefixes: list[str] = []
    original = FakeS3.list_objects_v2

    def counted(self: FakeS3, **query: Any) -> dict[str, Any]:
        prefixes.append(query["Prefix"])
        return original(self, **query)

    monkeypatch.setattr(FakeS3, "list_objects_v2", counted)
    return prefixes


@pytest.mark.parametrize(
    "timestamp", [-1, 0, NOW * 1000, NOW * 10**6, NOW // 1000, 32_503_680_000_000, -(10**17)]
)
def test_record_with_any_timestamp_is_written_and_blocks_no_other(
    timestamp: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws, listings = FakeAws(), count_listings(monkeypatch)
    for records in ([(0, NOW)], [(1, timestamp)], [(2, NOW + 5)], [(1, timestamp), (2, NOW + 5)]):
        deliver(aws, kafka_event(records))
    assert written(aws) == sorted([f"0@{NOW}", f"1@{timestamp}", f"2@{NOW + 5}"])
    assert len(listings) < 60
    assert Verifier(aws.app(), FakeStreams().streams(), lambda _: None).run(hours=0).complete


@settings(max_examples=at_most(30))
@given(
    st.lists(st.sampled_from([-1, 0, NOW, NOW + 7_200_000, NOW * 1000, 4 * 10**12]), min_size=1),
    st.data(),
)
def test_any_deliveries_of_a_partition_write_each_record_once(
    timestamps: list[int], data: st.DataObject
) -> None:
    """Lambda delivers a partition in order, and any part of it again."""
    aws, records = FakeAws(), list(enumerate(timestamps))
    at = 0
    while at < len(records):
        start = data.draw(st.integers(0, at))
        end = data.draw(st.integers(at + 1, len(records)))
        deliver(aws, kafka_event(records[start:end]))
        at = end
    assert written(aws) == sorted(f"{offset}@{timestamp}" for offset, timestamp in records)


@pytest.mark.parametrize("later_ms", [60_000, 86_400_000])
def test_topic_made_anew_keeps_its_records(later_ms: int) -> None:
    """The offsets start at 0 again, below the partition's mark."""
    aws = FakeAws()
    old = [(offset, NOW + offset) for offset in range(20)]
    new = [(offset, NOW + later_ms + offset) for offset in range(25)]
    for records in (old, new[:10], new[5:25], new[5:25]):
        deliver(aws, kafka_event(records))
    assert written(aws) == sorted(f"{offset}@{at}" for offset, at in [*old, *new])
    assert Verifier(aws.app(), FakeStreams().streams(), lambda _: None).run(hours=0).complete


@pytest.mark.parametrize("timestamp", [-1, 0, 32_503_680_000_000])
def test_topic_made_anew_keeps_its_records_without_usable_timestamps(timestamp: int) -> None:
    """Neither offset nor timestamp tells the records of the two topics apart."""
    aws = FakeAws()
    for name in ("old", "new"):
        event = kafka_event([(0, timestamp)])
        payload = plain(type="page", messageId=name)
        event["records"]["clicks-0"][0]["value"] = base64.b64encode(payload).decode()
        for _ in range(2):
            deliver(aws, event)
    assert written(aws) == ["new", "old"]


@pytest.mark.parametrize(
    "clusters",
    [
        [{"arn": MSK}, {"arn": MSK.replace("one", "two")}],
        [
            {"arn": None, "bootstrapServers": "b-1.one:9092,b-2.one:9092"},
            {"arn": None, "bootstrapServers": "b-1.two:9092"},
        ],
    ],
    ids=["MSK", "self-managed"],
)
def test_two_kafka_clusters_with_same_topic_keep_their_records(
    clusters: list[dict[str, Any]],
) -> None:
    aws = FakeAws()
    for cluster in clusters:
        deliver(aws, kafka_event([(0, NOW)], **cluster))
    assert len(rows(aws)) == 2
    assert Verifier(aws.app(), FakeStreams().streams(), lambda _: None).run(hours=0).complete


def test_order_of_bootstrap_servers_does_not_change_the_cluster() -> None:
    aws = FakeAws()
    for servers in ("b-1.one:9092,b-2.one:9092", "b-2.one:9092, b-1.one:9092"):
        deliver(aws, kafka_event([(0, NOW)], arn=None, bootstrapServers=servers))
    assert len(rows(aws)) == 1


def test_kafka_batch_without_time_raises_unfinished_error() -> None:
    """A mapping without `ReportBatchItemFailures` goes on after a partial response."""
    aws = FakeAws(settings=replace(SETTINGS, object_events=1))
    event = kafka_event([(15, NOW), (16, NOW)])
    with pytest.raises(UnfinishedError):
        EventsHandler(aws.app()).handle(event, lambda: False)
    deliver(aws, event)
    assert len(rows(aws)) == 2


def test_kafka_batch_without_time_reports_partition_and_offset_in_provisioned_mode() -> None:
    aws = FakeAws(settings=replace(SETTINGS, object_events=1, kafka_partial_response=True))
    event = json.loads((SAMPLE_EVENTS / "kafka.json").read_text())
    (records,) = event["records"].values()
    records.append(records[0] | {"offset": 16})
    answer = EventsHandler(aws.app()).handle(event, lambda: False)
    item = {"partition": "events-0", "offset": 16}
    assert answer == {"batchItemFailures": [{"itemIdentifier": item}]}
    deliver(aws, event)
    assert len(rows(aws)) == 2


@pytest.mark.parametrize("days", [1, 30, 500])
def test_idle_shard_lists_no_more_hours_than_the_live_counters_keep(
    days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = FakeAws(settings=replace(SETTINGS, live_hours=48))
    deliver(aws, kafka_event([(0, NOW - days * 86_400_000)]))
    listings = count_listings(monkeypatch)
    deliver(aws, kafka_event([(1, NOW)]))
    assert len(listings) <= 8


@given(st.integers(1_600_000_000_000, 4_000_000_000_000))
def test_milliseconds_are_the_same_in_every_unit(at: int) -> None:
    for number in (at, at * 1000, at * 10**6, at / 1000, f"{at // 1000}.{at % 1000:03d}"):
        assert abs(arrival_times.milliseconds(number) - at) <= 1


@pytest.mark.parametrize("number", ["", "soon", None, float("nan"), float("inf")])
def test_milliseconds_rejects_invalid_time(number: object) -> None:
    with pytest.raises(ValueError, match="isn't a time"):
        arrival_times.milliseconds(number)
    assert arrival_times.of_producer(number) == arrival_times.FIRST_MS


@pytest.mark.parametrize(
    ("arn", "stream"),
    [
        (
            "arn:aws:dynamodb:us-east-1:1:table/t/stream/2026-01-01T00:00:00.000",
            "t/2026-01-01T00:00:00.000",
        ),
        ("arn:aws-cn:dynamodb:cn-north-1:1:table/t", "t/unknown"),
        ("arn:aws:kinesis:us-east-1:1:stream/partner", "stream.partner/unknown"),
        ("urn:other", "other/unknown"),
    ],
)
@pytest.mark.parametrize("at", [NOW / 1000 + 0.25, NOW + 250, NOW * 1000 + 250_000, NOW // 1000])
def test_change_of_any_arn_and_time_is_read(arn: str, stream: str, at: object) -> None:
    dynamodb = {
        "Keys": {"pk": {"S": "A"}},
        "SequenceNumber": "7",
        "ApproximateCreationDateTime": at,
    }
    (batch,) = invocation.change_batches(
        {"Records": [{"eventSourceARN": arn, "dynamodb": dynamodb}], "shardId": "s"}
    )
    assert batch.stream == stream
    assert batch.records[0].arrived_ms in (NOW, NOW + 250)
