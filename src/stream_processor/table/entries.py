"""What the table should contain, from listings of the lake, and the entries of its files.

A file's entry has its rows, its size, and the first and last time of two columns. It has no other
value of a row: an erasure needs to change no metadata.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pyiceberg.conversions import to_bytes
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyiceberg.types import TimestamptzType

import telemetry
from stream_processor.compaction.compact import REST_PREFIX, file_name, parts_of
from stream_processor.compaction.copies import COMPACTED_PREFIX
from stream_processor.errors import MissingObjectError, StorageError
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.s3 import Bucket, ListedObject
from stream_processor.table.file_io import key_of, location_of

#: The end of a file, in which its footer is, unless it has hundreds of row groups.
_FOOTER_BYTES: Final = 64 * 1024
#: Footers that are read at once: connections of an SDK's client ("max_pool_connections", botocore).
_READERS: Final = 10
_TIMES: Final = ("received_at", "timestamp")

type Files = Mapping[str, ListedObject]


class Lake:
    """The files that the table should have, by hour."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def hours(self, folders: Iterable[str]) -> Iterator[tuple[str, list[ListedObject]]]:
        """Yield each hour's folder with its files; lists each day once.

        `folders` are "date=…/hour=…/", in order.

        Raises:
            StorageError: S3 failed.
        """
        day, listed = "", {}
        for folder in folders:
            if (its_day := folder.partition("/")[0]) != day:
                day, listed = its_day, self._day(its_day)
            yield folder, list(_wanted(*(listed[prefix].get(folder, {}) for prefix in _PREFIXES)))

    def _day(self, day: str) -> dict[str, dict[str, dict[str, ListedObject]]]:
        listed: dict[str, dict[str, dict[str, ListedObject]]] = {}
        for prefix in _PREFIXES:
            hours: dict[str, dict[str, ListedObject]] = defaultdict(dict)
            for file in self._bucket.objects(f"{prefix}/{day}/"):
                if file.key.endswith(lake_keys.SUFFIX):
                    hours[folder_of(file.key)][file.key.rpartition("/")[2]] = file
            listed[prefix] = hours
        return listed


# The objects are listed last: a compacted file is complete if its objects are the listed ones.
_PREFIXES: Final = (COMPACTED_PREFIX, REST_PREFIX, lake_keys.EVENTS)


def _wanted(compacted: Files, rest: Files, objects: Files) -> Iterator[ListedObject]:
    """Yield an hour's files: both compacted files of objects that have them, or the objects."""
    complete = compacted.keys() & rest.keys()
    for part in parts_of(sorted(objects.values()), complete):
        name = file_name(part)
        if name in complete:
            yield from (compacted[name], rest[name])
        else:
            yield from part


def folder_of(key: str) -> str:
    """Return the hour of a key: "date=…/hour=…/"."""
    return key.partition("/")[2].rpartition("/")[0] + "/"


def current(table: Table, bucket: Bucket) -> dict[str, DataFile]:
    """Return the entries of the table's newest snapshot by key.

    Raises:
        StorageError: S3 failed, or a file is in the table twice.
    """
    files: dict[str, DataFile] = {}
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot is not None else ():
        for entry in manifest.fetch_manifest_entry(table.io):
            key = key_of(bucket, entry.data_file.file_path)
            if key in files:
                raise StorageError(f"The table has {key} twice. This is a bug: report it.")
            files[key] = entry.data_file
    return files


class Entries:
    """Read the footers of files, each version of a file once."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._known: dict[ListedObject, DataFile | None] = {}

    def of(self, listed: ListedObject, columns: Schema) -> DataFile | None:
        """Return the entry of a file; None if it has no rows, is gone, or isn't Parquet.

        Raises:
            StorageError: S3 failed.
        """
        if listed not in self._known:
            self._known[listed] = self._read(listed, columns)
        return self._known[listed]

    def of_all(
        self, files: Sequence[ListedObject], columns: Schema
    ) -> Iterator[tuple[ListedObject, DataFile | None]]:
        """Yield each file with its entry; the footers are read at once.

        Raises:
            StorageError: S3 failed.
        """
        if len(files) < _READERS:
            yield from ((it, self.of(it, columns)) for it in files)
            return
        with ThreadPoolExecutor(_READERS) as readers:
            entries = readers.map(lambda it: self.of(it, columns), files)
            yield from zip(files, entries, strict=True)

    def _read(self, listed: ListedObject, columns: Schema) -> DataFile | None:
        try:
            footer = parquet.footer(self._bucket.read_end(listed.key, _FOOTER_BYTES), _TIMES)
            if footer is None:
                footer = parquet.footer(self._bucket.read(listed.key), _TIMES)
        except MissingObjectError:
            return None
        if footer is None:
            telemetry.warning("not a Parquet file, so not in the table", key=listed.key)
            return None
        if not footer.rows:
            return None
        ids = {name: columns.find_field(name).field_id for name in footer.bounds}
        kind = TimestamptzType()
        bounds = {ids[name]: both for name, both in footer.bounds.items()}
        return DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=location_of(self._bucket, listed.key),
            file_format=FileFormat.PARQUET,
            partition=Record(),
            record_count=footer.rows,
            file_size_in_bytes=listed.size,
            column_sizes=None,
            value_counts=None,
            null_value_counts=None,
            nan_value_counts=None,
            lower_bounds={name: to_bytes(kind, first) for name, (first, _) in bounds.items()},
            upper_bounds={name: to_bytes(kind, last) for name, (_, last) in bounds.items()},
            key_metadata=None,
            split_offsets=None,
            equality_ids=None,
            sort_order_id=None,
            spec_id=0,
        )


def metadata_files(table: Table, io: FileIO) -> set[str]:
    """Return the locations of all metadata that the table's snapshots and its history have."""
    named = {table.metadata_location, *(it.metadata_file for it in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        named.add(snapshot.manifest_list)
        named.update(it.manifest_path for it in snapshot.manifests(io))
    return named
