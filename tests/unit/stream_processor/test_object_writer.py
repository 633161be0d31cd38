"""Tests of the object writer: a wrong count in any caller prevents the write."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from stream_processor.errors import ConservationError
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.redrive import FailedBatches
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import object_writer, parquet
from stream_processor.storage.lake_types import ObjectSummary, PendingObject
from tests.unit.lake.test_compaction import compact
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    plain,
    rejected,
)
from tests.unit.stream_processor.test_repairs import appointment, put_discarded_batch, reconcile
from tests.unit.stream_processor.test_reprocess_bad_rows import EVENT, rejected_record, reprocess

KEYS: Final = {name: appointment(1, 1)[name] for name in ("pk", "sk")}


def write_events(aws: FakeAws) -> None:
    EventsHandler(aws.app()).handle(kinesis_event([packed(header(), [accepted("m")])]), _always)


def write_changes(aws: FakeAws) -> None:
    change = {
        "eventName": "INSERT",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:0:table/appointments/stream/label",
        "dynamodb": {
            "Keys": KEYS,
            "NewImage": appointment(1, 1),
            "SequenceNumber": "1",
            "ApproximateCreationDateTime": 1_795_258_800.0,
        },
    }
    ChangesHandler(aws.app()).handle({"Records": [change], "shardId": "shardId-1"}, _always)


def redrive(aws: FakeAws) -> None:
    put_discarded_batch(aws, kinesis_event([packed(header(), [accepted("m")])]), "a")
    FailedBatches(aws.app()).run()


def write_rejected_record(aws: FakeAws) -> None:
    EventsHandler(aws.app()).handle(kinesis_event([rejected_record(**EVENT)]), _always)


def write_missing_item(aws: FakeAws) -> None:
    aws.dynamodb.items["appointments"] = {("A#1", "meeting"): appointment(1, 1)}


def write_two_objects(aws: FakeAws) -> None:
    for sequence, payload in enumerate([plain(type="page"), packed(header(), [], [rejected()])], 1):
        EventsHandler(aws.app()).handle(kinesis_event([payload], first=sequence), _always)


def keys_with_verdicts(aws: FakeAws) -> list[str]:
    """Return the keys of the objects with rows. A reconciliation also saves its states."""
    others = ("reconciled/", "copies/", "seen/", "compacted_rest/")
    return [key for key in aws.s3.list_keys() if not key.startswith(others)]


def _always() -> bool:
    return True


def _no_preparation(_: FakeAws) -> None:
    pass


#: Each writer of lake objects: its preparation, and the write.
WRITERS: Final[dict[str, tuple[Callable[[FakeAws], None], Callable[[FakeAws], Any]]]] = {
    "events": (_no_preparation, write_events),
    "changes": (_no_preparation, write_changes),
    "redrive": (_no_preparation, redrive),
    "reprocess": (write_rejected_record, reprocess),
    "reconcile": (write_missing_item, reconcile),
    "compact": (write_two_objects, compact),
}

type Counts = Mapping[str, int]

#: Wrong counts of the input rows and of the rows by verdict. The last one keeps the total.
MISCOUNTS: Final[dict[str, Callable[[int, Counts], tuple[int, Counts]]]] = {
    "one row more in": lambda rows_in, counts: (rows_in + 1, counts),
    "one row less in": lambda rows_in, counts: (rows_in - 1, counts),
    "one more good": lambda rows_in, counts: (rows_in, {**counts, GOOD: counts[GOOD] + 1}),
    "one more bad": lambda rows_in, counts: (rows_in, {**counts, BAD: counts.get(BAD, 0) + 1}),
    "good as duplicate": lambda rows_in, counts: (
        rows_in,
        {**counts, GOOD: counts[GOOD] - 1, DUPLICATE: counts.get(DUPLICATE, 0) + 1},
    ),
}


@pytest.mark.parametrize("miscount", MISCOUNTS)
@pytest.mark.parametrize("writer", WRITERS)
def test_object_with_wrong_count_is_not_written(
    writer: str, miscount: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = FakeAws()
    prepare, write = WRITERS[writer]
    prepare(aws)
    before = aws.s3.list_keys()
    function = "create_compacted" if writer == "compact" else "build"
    real = getattr(object_writer, function)

    def miscounted(*positional: Any, rows_in: int, counts: Counts, **named: Any) -> Any:
        rows_in, counts = MISCOUNTS[miscount](rows_in, counts)
        return real(*positional, rows_in=rows_in, counts=counts, **named)

    with monkeypatch.context() as patched:
        patched.setattr(object_writer, function, miscounted)
        with pytest.raises(ConservationError):
            write(aws)
    assert aws.s3.list_keys() == before
    write(aws)
    assert len(keys_with_verdicts(aws)) == len(before) + 1


#: Changes of an object between `build` and `create`. Two keep the number of rows.
CHANGES: Final[dict[str, Callable[[PendingObject[Any]], PendingObject[Any]]]] = {
    "one more good": lambda it: replace(it, summary=replace(it.summary, good=it.summary.good + 1)),
    "good as bad": lambda it: replace(
        it, summary=replace(it.summary, good=it.summary.good - 1, bad=it.summary.bad + 1)
    ),
    "other digest": lambda it: replace(it, digest="0" * 64),
    "no rows": lambda it: replace(it, body=parquet.write(parquet.read(it.body).slice(0, 0))),
    "other rows of the same verdicts": lambda it: replace(
        it, body=parquet.write(parquet.read(it.body, ["verdict"]))
    ),
    "no Parquet file": lambda it: replace(it, body=b"PAR1"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("writer", [name for name in WRITERS if name != "compact"])
def test_object_changed_after_its_rows_were_counted_is_not_written(
    writer: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = FakeAws()
    prepare, write = WRITERS[writer]
    prepare(aws)
    before = aws.s3.list_keys()
    build = object_writer.build
    with monkeypatch.context() as patched:
        patched.setattr(
            object_writer, "build", lambda table, **named: CHANGES[change](build(table, **named))
        )
        with pytest.raises(ConservationError):
            write(aws)
    assert aws.s3.list_keys() == before


@pytest.mark.parametrize("writer", [name for name in WRITERS if name != "compact"])
def test_metadata_counts_rows_of_object_by_verdict(writer: str) -> None:
    aws = FakeAws()
    prepare, write = WRITERS[writer]
    prepare(aws)
    write(aws)
    for key in keys_with_verdicts(aws):
        body, metadata = aws.s3.objects[LAKE, key]
        summary = ObjectSummary.parse(metadata)
        verdicts = parquet.value_counts(parquet.read(body), "verdict")
        counts = {GOOD: summary.good, BAD: summary.bad, DUPLICATE: summary.duplicate}
        assert {name: verdicts[name] for name in counts} == counts
