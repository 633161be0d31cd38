"""Count what the nightly comparison and `verify` cost on a lake of a year of 5-second objects.

    .venv/bin/python benchmarks/history.py [--days 365] [--seconds 5]

Runs both commands as they run on the night after the lake's last day, with the state that the run
of the night before saved, on a lake of 30 days and on one of a year. The lake is computed instead
of stored (synthetic_lake.py), and counts the requests. Prints the requests, the bytes, their price
in USD and the time that the requests take, and calculates the same for a run over every object
(`--from`). Exits with 1 if the requests of a night grow with the history, or if the comparison
doesn't fit into the function's Timeout. Not counted: DynamoDB, and the streams that `verify` reads.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
if __name__ == "__main__":
    os.environ |= {"POWERTOOLS_METRICS_DISABLED": "true", "POWERTOOLS_TRACE_DISABLED": "true"}
    os.environ |= {"POWERTOOLS_LOG_LEVEL": "CRITICAL", "POWERTOOLS_SERVICE_NAME": "history"}

from benchmarks.synthetic_lake import SHARD, SyntheticS3  # noqa: E402 - the path is set above
from stream_processor.repair.item_states import (  # noqa: E402 - the path is set above
    LOOKBACK,
    ItemState,
    ItemStates,
)
from stream_processor.repair.lake_inventory import VERIFIED  # noqa: E402 - the path is set above
from stream_processor.repair.reconcile import Reconciler  # noqa: E402 - the path is set above
from stream_processor.repair.verify import Verifier  # noqa: E402 - the path is set above
from stream_processor.rows import change_rows  # noqa: E402 - the path is set above
from stream_processor.rows.change_rows import compact  # noqa: E402 - the path is set above
from stream_processor.storage import parquet  # noqa: E402 - the path is set above
from stream_processor.storage.app_context import AppContext  # noqa: E402 - the path is set above
from stream_processor.storage.checkpoints import Checkpoint  # noqa: E402 - the path is set above
from stream_processor.storage.dynamodb import Table  # noqa: E402 - the path is set above
from stream_processor.storage.lake_types import (  # noqa: E402 - the path is set above
    HighWaterMark,
    LogPosition,
)
from stream_processor.storage.log_names import entry_of  # noqa: E402 - the path is set above
from stream_processor.storage.log_rows import LogRow  # noqa: E402 - the path is set above
from stream_processor.storage.s3 import Bucket  # noqa: E402 - the path is set above
from tests.unit.stream_processor.fakes import (  # noqa: E402 - the path is set above
    LAKE,
    SETTINGS,
    FakeDynamoDB,
)

# "Amazon S3 pricing", us-east-1, 2026-11: requests of S3 Standard.
DOLLARS: Final = {"LIST": 0.005 / 1000, "PUT": 0.005 / 1000, "GET": 0.0004 / 1000}
DOLLARS_PER_HEAD: Final = DOLLARS["GET"]
SHORT_HISTORY_DAYS: Final = 30
NIGHTS: Final = 30
# Assumption, not measured: the round trip of one request within a Region.
REQUEST_S: Final = 0.02
# stacks/stream.yaml, ChangesFunction.
TIMEOUT_S: Final = 900
ITEM: Final = {
    "pk": {"S": "A#1"},
    "sk": {"S": "meeting"},
    "version": {"N": "1"},
    "origin_region": {"S": SETTINGS.region},
}


class Night(NamedTuple):
    """The requests of one run by name, the objects that it read, and their bytes."""

    requests: Counter[str]
    objects: int
    bytes_read: int

    @property
    def dollars(self) -> float:
        """The price of the requests in USD."""
        return sum(
            count * DOLLARS.get(name, DOLLARS_PER_HEAD) for name, count in self.requests.items()
        )

    @property
    def seconds(self) -> float:
        """The time that the requests take, one after the other."""
        return self.requests.total() * REQUEST_S


class EmptyStreams:
    """Streams that retain nothing: their reads don't depend on the lake."""

    def events(self, _: int) -> Iterator[Any]:
        """Yield no batches of events."""
        return iter(())

    def changes(self) -> Iterator[Any]:
        """Yield no batches of changes."""
        return iter(())


def change_object() -> bytes:
    """Return an object with one change of `ITEM`."""
    row = {
        "verdict": "good",
        "op": "INSERT",
        "by_ttl": False,
        "table_name": SETTINGS.appointments_table,
        "pk": "A#1",
        "sk": "meeting",
        "version": 1,
        "origin_region": SETTINGS.region,
        "keys_json": compact({"pk": ITEM["pk"], "sk": ITEM["sk"]}),
        "new_image_json": change_rows.image_text(ITEM),
        "source": "stream",
        "shard_id": SHARD,
        "sequence_number": f"{1:056d}",
        "record_index": 0,
        "schema_version": 1,
    }
    return parquet.write(change_rows.table([row]))


def lake_of(days: int, interval: timedelta, last: date) -> tuple[SyntheticS3, AppContext]:
    """Return a lake whose last day is the one before `last`, and its application."""
    end = datetime.combine(last, time.min, UTC)
    s3 = SyntheticS3(end - timedelta(days=days), end, interval, change_object())
    client: Any = s3
    dynamodb: Any = FakeDynamoDB({"appointments": {("A#1", "meeting"): ITEM}})
    app = AppContext(
        SETTINGS,
        Bucket(LAKE, client, lambda _: None),
        Table("checkpoints", dynamodb),
        Table("live", dynamodb),
        Table("appointments", dynamodb),
        Bucket("failures", client),
    )
    for prefix in ("events", "changes"):
        newest = entry_of(s3.key(prefix, s3.count - 1))
        assert newest is not None
        row = LogRow(app.checkpoints, newest[0], SETTINGS.retention_hours)
        row.advance(LogPosition(newest[1] + 1, s3.count, None))
    return s3, app


def compare(s3: SyntheticS3, app: AppContext) -> Night:
    """Run the nightly comparison, a day after one that read every object.

    Raises:
        AssertionError: The table and the lake differ.
    """
    before = s3.end - timedelta(days=1)
    state = ItemState(change_rows.image_text(ITEM), f"{1:056d}", 0)
    key = compact({"pk": ITEM["pk"], "sk": ITEM["sk"]})
    read = set(s3.keys_since("changes", before - LOOKBACK - timedelta(days=1)))
    read -= set(s3.keys_since("changes", before))
    ItemStates(app.lake, {key: state}, seen=read).save("before", before, finished=True)
    s3.requests.clear()
    comparison = Reconciler(app, lambda _: None).run("night", s3.end)
    assert comparison.agree == comparison.items == 1, str(comparison)
    return Night(Counter(s3.requests), comparison.objects_read, comparison.bytes_read)


def verify(s3: SyntheticS3, app: AppContext) -> Night:
    """Run `verify`, a day after a complete run.

    Raises:
        AssertionError: `verify` reports a missing record.
    """
    at = round((s3.end - timedelta(days=1)).timestamp() * 1000)
    Checkpoint(app.checkpoints, VERIFIED).advance(HighWaterMark(at, at))
    s3.requests.clear()
    streams: Any = EmptyStreams()
    report = Verifier(app, streams, lambda _: None).run()
    assert report.complete, str(report)
    return Night(Counter(s3.requests), report.objects, 0)


def whole(night: Night, objects: int, days: int, listed_days: int) -> Night:
    """Calculate a run over `objects` objects of `days` days from a night's requests.

    The night listed `listed_days` days. Reads grow with the objects, listings with the days, and a
    run writes one object.
    """
    share = objects / night.objects
    requests = Counter({name: round(count * share) for name, count in night.requests.items()})
    requests["LIST"] = round(night.requests["LIST"] * days / listed_days)
    requests["PUT"] = night.requests["PUT"]
    return Night(requests, objects, round(night.bytes_read * share))


def line(name: str, night: Night) -> str:
    """Return one line of the report."""
    requests = "  ".join(f"{it} {night.requests[it]:>10,}" for it in ("LIST", "GET", "HEAD", "PUT"))
    megabytes = night.bytes_read / 1e6
    return (
        f"  {name:<28}{night.objects:>11,} objects  {requests}  {megabytes:>9,.0f} MB"
        f"  {night.dollars:>8.3f} USD  {night.seconds:>9,.0f} s"
    )


def main() -> int:
    """Run both commands on both lakes and print the report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    interval, today = timedelta(seconds=options.seconds), datetime.now(UTC).date()
    print(f"one object every {options.seconds:g} s in events/, and one in changes/")
    met = True
    for name, command in (("nightly comparison", compare), ("verify", verify)):
        print(name)
        lakes = {
            days: lake_of(days, interval, today) for days in (SHORT_HISTORY_DAYS, options.days)
        }
        nights = {days: command(*lake) for days, lake in lakes.items()}
        for days, night in nights.items():
            print(line(f"a night after {days} days", night))
        newest, oldest = nights[SHORT_HISTORY_DAYS], nights[options.days]
        prefixes, listed = (1, LOOKBACK.days) if command is compare else (2, LOOKBACK.days + 2)
        objects = prefixes * lakes[options.days][0].count
        print(line("--from the first day", whole(oldest, objects, options.days, listed)))
        print(f"  {NIGHTS} nights cost {NIGHTS * oldest.dollars:.2f} USD")
        met = met and oldest.requests == newest.requests
        met = met and (command is verify or oldest.seconds <= TIMEOUT_S)
    print("a night's requests don't depend on the history" if met else "LIMIT EXCEEDED")
    print(f"assumption: {REQUEST_S} s per request; limit of the comparison: {TIMEOUT_S} s")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
