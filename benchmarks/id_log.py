"""Calculate how often compaction reads the log of ids, by the age of a lake.

    .venv/bin/python benchmarks/id_log.py [--events 1000000] [--days 365]

Compacts an hour of real page views, in records of ten events, and measures the bytes of an event in
the compacted file and in the log. Then follows a lake of `--days` days with `--events` events a day
hour by hour, by the rule of the schedule (`reads_log`). Prints the first day on which files wait,
how long they wait in the end and the bytes that are then read, and the greatest log that a run can
read. Assumption, not measured: a run reads 70 MB of the log in a second.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
if __name__ == "__main__":
    os.environ |= {"POWERTOOLS_METRICS_DISABLED": "true", "POWERTOOLS_TRACE_DISABLED": "true"}
    os.environ |= {"POWERTOOLS_LOG_LEVEL": "CRITICAL", "POWERTOOLS_SERVICE_NAME": "id_log"}

# ruff: noqa: E402 - the path is set above
from benchmarks import stream_input
from benchmarks.one_day import Folder
from stream_processor.commit import event_objects
from stream_processor.compaction.compact import Compaction
from stream_processor.compaction.copies import COMPACTED_PREFIX, reads_log
from stream_processor.compaction.id_log import SEEN_PREFIX
from stream_processor.ingest.invocation import stream_batches
from tests.unit.stream_processor.fakes import SETTINGS, FakeAws
from tools.deployment.templates import load

# Assumption, not measured: bytes.
LOG_READ_PER_S: Final = 70e6


class Sizes(NamedTuple):
    """Bytes of an event: in a compacted file, and in the log of ids."""

    file: float
    log: float


def measure(events: int) -> Sizes:
    """Compact `events` page views of one hour, and measure them."""
    event = stream_input.invocation(stream_input.views(), events, "packs of 10")
    (batch,) = stream_batches(event)
    with tempfile.TemporaryDirectory() as name:
        bucket, rest, number = Folder(Path(name)), batch.records, 0
        while rest:
            pending = event_objects.build(SETTINGS, batch.shard, rest, None, frozenset())
            hour = f"events/date={stream_input.ARRIVED:%Y-%m-%d}/hour={stream_input.ARRIVED:%H}/"
            bucket.create(f"{hour}{batch.shard}-{number:08d}.parquet", pending.body, {})
            rest, number = rest[pending.taken :], number + 1
        app = replace(FakeAws().app(), lake=bucket)
        until = stream_input.ARRIVED + timedelta(hours=1)
        result = Compaction(app).run(stream_input.ARRIVED, until, lambda: True)
        assert (result.left, result.not_compared) == (0, 0)
        size = {
            prefix: sum(it.size for it in bucket.objects(f"{prefix}/"))
            for prefix in (COMPACTED_PREFIX, SEEN_PREFIX)
        }
    return Sizes(size[COMPACTED_PREFIX] / events, size[SEEN_PREFIX] / events)


class Reading(NamedTuple):
    """One reading of the log: the hour of the lake's life, the hours waited, the bytes."""

    hour: int
    waited: int
    bytes_read: float


def readings(events_per_hour: float, sizes: Sizes, hours: int) -> list[Reading]:
    """Follow a lake hour by hour; return the readings of its log."""
    past: list[Reading] = []
    log = files = 0.0
    waited = 0
    for hour in range(hours):
        files += events_per_hour * sizes.file
        waited += 1
        # The schedule compares the files of the hours that ended.
        if reads_log(round(log), round(files), waited - 1):
            past.append(Reading(hour, waited, log))
            log += waited * events_per_hour * sizes.log
            files, waited = 0.0, 0
    return past


def timeout_s() -> int:
    """Return the Timeout of the function that compacts, in seconds."""
    resources = load(ROOT / "stacks" / "stream.yaml")["Resources"]
    return int(resources["EventsFunction"]["Properties"]["Timeout"])


def main() -> int:
    """Measure, calculate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    options = parser.parse_args()
    events_per_hour = options.events / 24
    sizes = measure(max(1, round(events_per_hour)))
    print(f"bytes of an event: {sizes.file:.0f} in a compacted file, {sizes.log:.0f} in the log")
    done = readings(events_per_hour, sizes, options.days * 24)
    first = next((it.hour for it in done if it.waited > 1), None)
    print(f"{options.events:,} events a day, for {options.days} days:")
    if first is None:
        print("  the log is read every hour")
    else:
        print(f"  the log is read every hour for {first / 24:.0f} days")
    last = done[-1]
    print(f"  then every {last.waited} h, {last.bytes_read / 1e9:.1f} GB")
    most = timeout_s() * LOG_READ_PER_S / sizes.log
    print(f"  a run has {timeout_s()} s, enough for the log of {most / 1e9:.1f} billion events")
    print(f"assumption: a run reads {LOG_READ_PER_S / 1e6:.0f} MB of the log in a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
