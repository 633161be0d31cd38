"""Operator command: finds objects and records that are missing in the lake.

`python -m stream_processor.repair.verify` compares four sources: the entries of each log, whose
numbers have no gap; the log's row; the bucket's delete markers; and the streams, as far back as
they retain records. `--restore` restores missing ones from the bucket's
versions, else from the streams. The environment is that of the functions.

A run that finds nothing missing saves its time. The next one checks only dates from `LOOKBACK`
before it on, so its cost doesn't grow with the lake; `--from DAY` checks from any day on.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from stream_processor import settings
from stream_processor.commit import event_objects
from stream_processor.errors import StreamProcessorError
from stream_processor.ingest.records import Batch
from stream_processor.repair import restore as restoring
from stream_processor.repair.absent_records import AbsentFinder, AbsentRecords
from stream_processor.repair.lake_inventory import VERIFIED, LakeInventory, shard_of
from stream_processor.repair.shard_coverage import ShardId
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.repair.verify_report import VerifyReport
from stream_processor.storage import lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.checkpoints import Checkpoint
from stream_processor.storage.lake_types import HighWaterMark

#: The streams keep a record for 7 days, and its object can be named after one of the day before.
LOOKBACK: Final = timedelta(days=9)


class Verifier:
    """Verify a lake, and restore it."""

    def __init__(
        self,
        app: AppContext,
        streams: StreamReader | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app = app
        reader = streams if streams is not None else StreamReader(app.settings)
        self._inventory = LakeInventory(app, reader)
        self._sleep = sleep

    def run(
        self, *, restore: bool = False, hours: int | None = None, since: date | None = None
    ) -> VerifyReport:
        """Verify; with `restore`, restore missing records and verify again.

        `hours` is how far back the streams are read: by default their whole retention. `since` is
        the first date of objects; by default `LOOKBACK` before the last complete run.

        Raises:
            StorageError: S3, DynamoDB or a stream failed.
            StreamProcessorError: A restored object can't be built or written.
        """
        reach = self._app.settings.retention_hours if hours is None else hours
        started = datetime.now(UTC)
        verified = Checkpoint(self._app.checkpoints, VERIFIED)
        self._inventory.since = since or _first_date(verified.read())
        report = self._verify(reach)
        if restore and not report.complete:
            restored = restoring.restore_versions(self._app, self._inventory)
            reread = restoring.write_absent(self._app, self._compare(reach)[0])
            restoring.fill_numbers(self._app, self._inventory.shards())
            report = self._verify(reach)
            report.restored, report.reread = restored, reread
        report.streams_read = reach > 0
        report.since = self._inventory.since
        if report.complete and report.streams_read:
            at = round(started.timestamp() * 1000)
            verified.advance(HighWaterMark(at, at))
        return report

    def _verify(self, hours: int) -> VerifyReport:
        """Verify, and verify again after a grace period: records can still be on their way."""
        absent, doubled = self._compare(hours)
        report = self._report(absent)
        if not report.complete:
            self._sleep(self._app.settings.reconcile_grace_seconds)
            report = self._report(absent)
        report.overlaps += doubled
        return report

    def _compare(self, hours: int) -> tuple[list[AbsentRecords], list[str]]:
        """Return the streams' records that no object holds, and entries with records of others."""
        coverage = self._inventory.shards().coverage
        finder = AbsentFinder(coverage, self._inventory.sequences, self._has_rows)
        absent = list(finder.find(self._inventory.stream_batches(hours)))
        return absent, finder.doubled

    def _has_rows(self, shard: ShardId, batch: Batch[Any]) -> bool:
        """Return whether records have rows: a record of no event has none."""
        if shard[0] != lake_keys.EVENTS:
            return True
        settings = self._app.settings
        pending = event_objects.build(settings, batch.shard, batch.records, None, frozenset())
        return pending.summary.rows > 0

    def _report(self, absent: Sequence[AbsentRecords]) -> VerifyReport:
        shards = self._inventory.shards()
        report = VerifyReport(without_summary=shards.without_summary)
        for shard in sorted(shards.coverage):
            report.add(shard, shards.coverage[shard])
        for one in absent:
            coverage = shards.coverage[one.shard]
            sequences = [record.sequence for record in one.batch.records]
            still = coverage.absent(one.log, sequences, self._inventory.sequences)
            report.add_absent(one.shard, still, coverage.written)
        for deleted in self._inventory.deleted():
            if self._inventory.is_needed(shards, deleted):
                report.deleted.append(deleted.key)
            elif deleted.version is None and shard_of(deleted.key) is None:
                report.unrestorable.append(deleted.key)
        return report


def _first_date(verified: HighWaterMark | None) -> date | None:
    if verified is None:
        return None
    return (datetime.fromtimestamp(verified.arrived_ms / 1000, UTC) - LOOKBACK).date()


def _sleep_aloud(seconds: float) -> None:
    print(f"verify: checking missing and late records again in {seconds:.0f} s", file=sys.stderr)
    time.sleep(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify and print the report. Returns 1 if records are missing, or after an error."""
    parser = argparse.ArgumentParser(prog="stream_processor.repair.verify", description=__doc__)
    parser.add_argument(
        "--restore", action="store_true", help="restore missing records from versions and streams"
    )
    parser.add_argument(
        "--hours", type=int, help="hours of the streams to read (default: all, 0: none)"
    )
    parser.add_argument(
        "--from",
        dest="since",
        type=date.fromisoformat,
        help="first date of the objects to check (default: 9 days before the last complete run)",
    )
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        report = Verifier(app, sleep=_sleep_aloud).run(
            restore=options.restore, hours=options.hours, since=options.since
        )
    except StreamProcessorError as error:
        print(f"verify: {error} ({error.code})", file=sys.stderr)
        return 1
    print(report)
    return 0 if report.complete else 1


if __name__ == "__main__":
    sys.exit(main())
