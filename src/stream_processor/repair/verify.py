"""Operator command: finds objects and records that are missing in the lake.

`python -m stream_processor.repair.verify` compares four sources: the objects of each shard, which
name the end of the object before; the shard's checkpoint; the bucket's delete markers; and the
streams, as far back as they retain records. `--restore` restores what is missing from the bucket's
versions, else from the streams. The environment is that of the functions.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, groupby
from typing import Any, Final

from stream_processor import settings
from stream_processor.errors import ObjectMetadataError, StreamProcessorError
from stream_processor.ingest.invocation import Batch
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS
from stream_processor.repair import late_records
from stream_processor.repair.late_records import LateRecords
from stream_processor.repair.shard_coverage import ShardCoverage, ShardId
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.repair.verify_report import VerifyReport
from stream_processor.storage import lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import HighWaterMark, SequencedRecord
from stream_processor.storage.s3 import Deleted

type Shards = dict[ShardId, ShardCoverage]

#: Objects beside the chains that are no records of a stream: what was read again, and repairs.
_MADE: Final = ("again-", "reconciler-")
_PREFIXES: Final = (lake_keys.EVENTS, lake_keys.CHANGES)


class Verifier:
    """Asks the witnesses of a lake."""

    def __init__(
        self,
        app: AppContext,
        streams: StreamReader | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app = app
        self._streams = streams if streams is not None else StreamReader(app.settings)
        self._sleep = sleep

    def run(self, *, restore: bool = False, hours: int | None = None) -> VerifyReport:
        """Ask all; with `restore`, bring back what can be, and ask again.

        `hours` is how far back the streams are read: as far as they go where nothing is said.
        """
        reach = self._app.settings.retention_hours if hours is None else hours
        report = self._twice(reach)
        if restore and not report.whole:
            restored = self._undelete()
            reread = self._read_again(reach)
            report = self._twice(reach)
            report.restored, report.reread = restored, reread
        report.streams_asked = reach > 0
        return report

    def _twice(self, reach: int) -> VerifyReport:
        """Look, and look again at what is wrong: it may be on its way."""
        shards = self._shards(VerifyReport())
        absent: dict[ShardId, list[int]] = defaultdict(list)
        for place, batch in self._held_by_streams(reach):
            coverage = shards[place]
            absent[place] += [r.sequence for r in batch.records if not coverage.holds(r.sequence)]
        report = self._judge(absent)
        if not report.whole:
            self._sleep(self._app.settings.reconcile_grace_seconds)
            report = self._judge(absent)
        return report

    def _judge(self, absent: dict[ShardId, list[int]]) -> VerifyReport:
        report = VerifyReport()
        shards = self._shards(report)
        for place in sorted(shards.keys() | absent.keys()):
            coverage = shards[place]
            report.add(place, coverage)
            for sequence in absent[place]:
                report.add_absent(place, sequence, coverage.kind(sequence))
        for deleted in self._deleted():
            if self._is_missing(deleted, shards):
                report.deleted.append(deleted.key)
            elif deleted.version is None and _place(deleted.key) is None:
                report.unmade.append(deleted.key)
        return report

    def _shards(self, report: VerifyReport) -> Shards:
        shards: Shards = defaultdict(ShardCoverage)
        # The rows first: what is written meanwhile is then an object more, and not a row ahead.
        for item in self._app.checkpoints.scan():
            stream, _, shard = item["chain"]["S"].rpartition("#")
            # A table's stream is "<table>/<label>", and a Kinesis stream's name holds no slash.
            prefix = lake_keys.CHANGES if "/" in stream else lake_keys.EVENTS
            shards[prefix, shard].row = HighWaterMark(
                int(item["high"]["S"]), int(item["arrived"]["N"])
            )
        for key in chain.from_iterable(self._app.lake.keys(f"{it}/") for it in _PREFIXES):
            place = _place(key)
            if place is None:
                continue
            try:
                summary = lake_keys.summary(self._app.lake, key).summary
            except ObjectMetadataError:
                report.strange.append(key)
                continue
            if _beside(key):
                coverage = shards[place]
                coverage.beside.append(summary)
                coverage.held |= late_records.sequences(self._app.lake.read(key))
            else:
                shards[place].objects[key] = summary
        return shards

    def _held_by_streams(self, reach: int) -> Iterator[tuple[ShardId, Batch[Any]]]:
        if reach:
            yield from (((lake_keys.EVENTS, it.shard), it) for it in self._streams.events(reach))
            yield from (((lake_keys.CHANGES, it.shard), it) for it in self._streams.changes())

    def _deleted(self) -> Iterator[Deleted]:
        for prefix in _PREFIXES:
            yield from self._app.lake.deleted(f"{prefix}/")

    def _is_missing(self, deleted: Deleted, shards: Shards) -> bool:
        """Whether what was deleted is not there in another object."""
        place = _place(deleted.key)
        if place is not None:
            return not shards[place].holds(lake_keys.ShardPrefix.first(deleted.key))
        return deleted.version is not None and deleted.key.endswith(lake_keys.SUFFIX)

    def _undelete(self) -> int:
        """Bring back, from their versions, objects in whose place nothing is."""
        shards, restored = self._shards(VerifyReport()), 0
        for deleted in list(self._deleted()):
            if deleted.version is None or not self._is_missing(deleted, shards):
                continue
            place = _place(deleted.key)
            if place is not None:
                with suppress(ObjectMetadataError):
                    found = lake_keys.summary(self._app.lake, deleted.key, deleted.version)
                    if not shards[place].free_for(found.summary):
                        continue
            self._app.lake.undelete(deleted)
            restored += 1
        return restored

    def _read_again(self, reach: int) -> int:
        """Bring in, from the streams, what no object holds; how many records."""
        shards, written, bring = self._shards(VerifyReport()), 0, LateRecords(self._app)
        before: dict[ShardId, int] = {}
        for place, batch in self._held_by_streams(reach):
            held = partial(_held, shards[place])
            for is_held, some in groupby(batch.records, key=held):
                part = Batch(batch.stream, batch.shard, list(some))
                previous = before.get(place)
                if not is_held and place[0] == lake_keys.EVENTS:
                    written += bring.events(part, previous)
                elif not is_held:
                    written += bring.changes(part, [batch.shard], previous)
                before[place] = part.records[-1].sequence
        return written


def _held(coverage: ShardCoverage, record: SequencedRecord) -> bool:
    return coverage.holds(record.sequence)


def _beside(key: str) -> bool:
    return key.rpartition("/")[2].startswith(late_records.REDRIVE_PREFIX)


def _place(key: str) -> ShardId | None:
    """Whose records an object of that name holds; None where it holds no stream's."""
    prefix, _, rest = key.partition("/")
    name = rest.rpartition("/")[2]
    shard = name[: -len(lake_keys.SUFFIX) - SEQUENCE_DIGITS - 1].removeprefix(
        late_records.REDRIVE_PREFIX
    )
    number = name.removesuffix(lake_keys.SUFFIX)[-SEQUENCE_DIGITS:]
    if name.startswith(_MADE) or not shard or not number.isdecimal():
        return None
    return prefix, shard


def _patiently(seconds: float) -> None:
    print(f"verify: looking again in {seconds:.0f} s at what is missing or late", file=sys.stderr)
    time.sleep(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, and print the verdict. 1 where anything is missing, or AWS fails."""
    parser = argparse.ArgumentParser(prog="stream_processor.repair.verify", description=__doc__)
    parser.add_argument("--restore", action="store_true", help="bring back what was deleted")
    parser.add_argument(
        "--hours", type=int, help="how far back to read the streams; all there is, or 0 for none"
    )
    given = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        report = Verifier(app, sleep=_patiently).run(restore=given.restore, hours=given.hours)
    except StreamProcessorError as error:
        print(f"verify: {error} ({error.code})", file=sys.stderr)
        return 1
    print(report)
    return 0 if report.whole else 1


if __name__ == "__main__":
    sys.exit(main())
