"""The only writer of lake objects and of their metadata.

Every object of `events/`, `changes/`, `compacted/`, `compacted_rest/`, `reconciled/`, `copies/`,
`seen/` and `iceberg/` is written here, whether a handler, a repair command or the compaction makes
it. `build` checks the conservation law before it encodes the rows (rows in = good + bad + duplicate
= rows written), and `create` checks the bytes that it writes against the summary again, because
other code could have changed the pending object between the two. An architecture test fails on
other code that builds an `ObjectSummary` or writes to S3.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import pyarrow as pa

import telemetry
from stream_processor.errors import ConservationError
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.lake_types import (
    ExistingObject,
    ObjectSummary,
    PendingObject,
    SequencedRecord,
)
from stream_processor.storage.s3 import Bucket, Version

#: The columns that say which row of which record a row is.
_IDENTITY: Final = ("shard_id", "sequence_number", "record_index", "object_id")


@dataclass(frozen=True, slots=True)
class RecordRange:
    """The records that an object holds: first and last sequence number, arrival, and count.

    It was made of `taken` records, of which `records` have rows. `previous` is the highest sequence
    number in the entries before it.
    """

    first: int
    last: int
    arrived_ms: int
    records: int
    previous: int | None = None
    taken: int = 0

    @classmethod
    def of(
        cls, records: Sequence[SequencedRecord], previous: int | None, with_rows: int
    ) -> "RecordRange":
        """Return the range of records in sequence order (at least one)."""
        first, last, taken = records[0], records[-1], len(records)
        return cls(first.sequence, last.sequence, first.arrived_ms, with_rows, previous, taken)


def build[T](
    table: pa.Table,
    *,
    rows_in: int,
    counts: Mapping[str, int],
    covers: RecordRange,
    stats: T,
) -> PendingObject[T]:
    """Encode rows as a Parquet object with its summary.

    `rows_in` is the number of events that the input declares, and `counts` the number of rows that
    the caller made, by verdict.

    Raises:
        ConservationError: The table's own verdicts, rows_in and counts disagree.
    """
    verdicts = parquet.value_counts(table, "verdict")
    _check(rows_in == sum(counts.values()) == len(table), rows_in, counts, len(table))
    _check(Counter(counts) == verdicts, rows_in, counts, len(table))
    body = parquet.write(table)
    summary = ObjectSummary(
        first=covers.first,
        last=covers.last,
        arrived_ms=covers.arrived_ms,
        previous=covers.previous,
        records=covers.records,
        good=verdicts[GOOD],
        bad=verdicts[BAD],
        duplicate=verdicts[DUPLICATE],
    )
    return PendingObject(summary, body, hashlib.sha256(body).hexdigest(), stats, covers.taken)


def create[T](bucket: Bucket, key: str, pending: PendingObject[T]) -> ExistingObject | None:
    """Write the object if the key is free and return None; else return the existing object.

    Raises:
        ConservationError: The body isn't the one that `build` encoded, or the summary doesn't count
            its rows.
        StorageError: S3 failed.
        ObjectMetadataError: The existing object has no summary.
    """
    _check_pending(pending)
    metadata = pending.summary.metadata() | {"sha256": pending.digest}
    created = bucket.create(key, pending.body, metadata)
    return None if created else lake_keys.summary(bucket, key)


def create_compacted(
    bucket: Bucket,
    files: Mapping[str, bytes],
    *,
    objects: int,
    rows_in: int,
    counts: Mapping[str, int],
) -> None:
    """Write the two compacted files of some objects, unless another run did: key -> body.

    The first has the rows that aren't good, the second the good ones, and exists only beside the
    first. `rows_in` is the number of rows in the `objects`, and `counts` the number of rows that
    were read from them, by verdict.

    Raises:
        ConservationError: The rows of the files, rows_in and counts disagree.
        StorageError: S3 failed.
    """
    shapes = map(parquet.shape, files.values())
    rest_rows, good_rows = (-1 if shape is None else shape.rows for shape in shapes)
    good = counts.get(GOOD, 0)
    _check(
        rows_in == sum(counts.values()) and (good, rows_in - good) == (good_rows, rest_rows),
        rows_in,
        counts,
        good_rows + rest_rows,
    )
    for key, body in files.items():
        bucket.create(key, body, {"objects": str(objects), "rows": str(rows_in)})


def create_metadata(bucket: Bucket, key: str, body: bytes) -> None:
    """Write a file of the Iceberg table's metadata. Its name is unique: it is never there before.

    Raises:
        StorageError: S3 failed.
    """
    # False: the SDK sent the request twice.
    bucket.create(key, body, {}, "application/octet-stream")


def overwrite(
    bucket: Bucket, version: Version, table: pa.Table, metadata: Mapping[str, str]
) -> None:
    """Write an object again: the same records and positions, and other values.

    An erasure removes a person's data, and a reprocessing reads the events by newer code. The
    digest in the metadata stays that of the rows that the writer made, by which it recognises
    its own entry. A deleted object gets a new version; the caller deletes it again.

    Raises:
        ConservationError: The rows aren't those of the version.
        StorageError: S3 failed, or somebody wrote the object since.
    """
    columns = [it for it in _IDENTITY if it in table.schema.names]
    body = bucket.read(version.key, version.version)
    before = parquet.read(body, columns)
    _check(before.equals(table.select(columns)), len(before), {}, len(table))
    etag = version.etag if version.is_latest else None
    # With its size, the object stays what every snapshot of the Iceberg table says of it.
    bucket.overwrite(version.key, parquet.padded(parquet.write(table), len(body)), metadata, etag)


def create_file(bucket: Bucket, key: str, body: bytes, *, rows: int) -> bool:
    """Write saved states or the index of copies; False if the key exists, by another run.

    Raises:
        ConservationError: The file hasn't that many rows.
        StorageError: S3 failed.
    """
    shape = parquet.shape(body)
    file_rows = -1 if shape is None else shape.rows
    _check(rows == file_rows, rows, {}, file_rows)
    return bucket.create(key, body, {"rows": str(rows)})


def _check_pending(pending: PendingObject[Any]) -> None:
    summary = pending.summary
    counts = {GOOD: summary.good, BAD: summary.bad, DUPLICATE: summary.duplicate}
    verdicts = parquet.verdicts(pending.body)
    # `Counter` equates a missing verdict with 0.
    _check(Counter(counts) == verdicts, sum(counts.values()), counts, verdicts.total())
    if hashlib.sha256(pending.body).hexdigest() != pending.digest:
        _fail("its SHA-256 isn't the digest of the rows that were counted")


def _check(holds: bool, rows_in: int, counts: Mapping[str, int], rows_out: int) -> None:
    if not holds:
        _fail(
            f"{rows_in} rows came in, {dict(counts)} were classified, {rows_out} would be written"
        )


def _fail(reason: str) -> NoReturn:
    telemetry.count("ConservationErrors", 1)
    raise ConservationError(
        f"Object not written: {reason}. This is a bug: keep the input and report it."
    )
