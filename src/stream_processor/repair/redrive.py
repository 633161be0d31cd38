"""Operator command: writes discarded batches and bad rows to the lake again.

`python -m stream_processor.repair.redrive --failures` redrives the batches that Lambda discarded to
the failures bucket; `--bad` reprocesses the bad rows of some days. Both write only what isn't in
the lake yet, so they are safe to repeat. The environment is that of the functions.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from stream_processor import settings
from stream_processor.errors import SourceError, StreamProcessorError
from stream_processor.ingest import invocation
from stream_processor.repair.late_records import LateRecords
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor
from stream_processor.storage.app_context import AppContext

#: Key prefix of discarded batches ("Retain discarded records", Amazon S3):
#: aws/lambda/<mapping's UUID>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>
FAILURES: Final = "aws/lambda/"


@dataclass(slots=True)
class Result:
    """Counts of one run: objects of the failures bucket, and records. `known`: already written."""

    objects: int = 0
    unreadable: int = 0
    written: int = 0
    known: int = 0

    def __str__(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    def count(self, records: int, written: int) -> None:
        """Count a batch. Records that weren't written are in the lake, or of another Region."""
        self.written += written
        self.known += records - written


class FailedBatches:
    """The discarded batches in the failures bucket."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._late = LateRecords(app)

    def run(self) -> Result:
        """Redrive all batches, and delete from the bucket those that are in the lake.

        Raises:
            StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
            ConservationError: The rows of an object don't match its records.
        """
        result = Result()
        for key in list(self._app.failures.keys(FAILURES)):
            result.objects += 1
            try:
                self._redrive(self._app.failures.read(key), result)
            except (ValueError, KeyError, TypeError, SourceError):
                # Lambda didn't write this object: leave it for the operator.
                result.unreadable += 1
                continue
            self._app.failures.delete(key)
        return result

    def _redrive(self, body: bytes, result: Result) -> None:
        document, event = parse_failure(body)
        if "DDBStreamBatchInfo" in document:
            # Without a tumbling window only the document, not the event, names the shard.
            shard = document["DDBStreamBatchInfo"]["shardId"]
            for changed in invocation.change_batches({"shardId": shard, **event}):
                result.count(len(changed.records), self._late.changes(changed))
        else:
            for batch in invocation.stream_batches(event):
                result.count(len(batch.records), self._late.events(batch))


def parse_failure(body: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return an invocation record of Lambda, and the invocation event in it.

    Raises:
        ValueError: The body isn't JSON.
        KeyError: It has no payload.
        TypeError: The record or the event isn't an object.
    """
    document = json.loads(body)
    payload = document["payload"]
    event = json.loads(payload) if isinstance(payload, str) else payload
    if not isinstance(event, dict):
        raise TypeError("The payload isn't an invocation event.")
    return document, event


def _day(text: str) -> date:
    return date.fromisoformat(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Redrive and print the counts. Returns 1 after an error."""
    today = datetime.now(UTC).date()
    parser = argparse.ArgumentParser(prog="stream_processor.repair.redrive", description=__doc__)
    parser.add_argument(
        "--failures", action="store_true", help="redrive the batches in the failures bucket"
    )
    parser.add_argument(
        "--bad", action="store_true", help="reprocess the bad rows of the days --from to --to"
    )
    parser.add_argument("--from", dest="first", type=_day, default=today - timedelta(days=7))
    parser.add_argument("--to", dest="last", type=_day, default=today)
    options = parser.parse_args(arguments)
    if not (options.failures or options.bad):
        parser.error("choose --failures, --bad or both")
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        if options.failures:
            print("failures", FailedBatches(app).run())
        if options.bad:
            print("bad", BadRowReprocessor(app).run(options.first, options.last))
    except StreamProcessorError as error:
        print(f"redrive: {error} ({error.code})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
