"""The invariants of the numbered log, checked on the objects in the fake bucket."""

from collections import Counter

from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.proof.lake_checker import InvariantError
from tests.unit.stream_processor.proof.numbered_log.writer import HOUR_MS, Entry, LogTable


def check_entries(aws: FakeAws) -> None:
    """Check that no record is in two entries, and each entry against those before it.

    Raises:
        InvariantError: A record or a good event is there twice, or an entry has the wrong place.
    """
    records: Counter[tuple[str, int]] = Counter()
    logs: dict[str, list[Entry]] = {}
    for key, body, _ in aws.objects("log/"):
        entry = Entry.parse(body)
        log, _, number = key.removeprefix("log/").rpartition("-")
        entries = logs.setdefault(log, [])
        _require(int(number) == len(entries), f"{key}: an entry before it is missing")
        _require(
            entry.previous == max((it.last for it in entries), default=0),
            f"{key} doesn't name the highest record before it",
        )
        entries.append(entry)
        shard, _, hour = log.partition("/")
        for record in entry.records:
            _require(record.arrived_ms // HOUR_MS == int(hour), f"{key}: a record of another hour")
            records[shard, record.sequence] += 1
        here = log.rpartition("/")[2]
        for identity, count in Counter(it for e in entries for it in e.identities).items():
            _require(count == 1, f"duplicated: {identity} is good {count} times in {here}")
    twice = [record for record, count in records.items() if count > 1]
    _require(not twice, f"duplicated: in two entries: {len(twice)} records")


def check_end(aws: FakeAws, table: LogTable, acknowledged: set[tuple[str, int]]) -> None:
    """Check that every acknowledged record is in an entry, and every entry counted once.

    Raises:
        InvariantError: A record is lost, or a count or a row is wrong.
    """
    check_entries(aws)
    entries = {key: Entry.parse(body) for key, body, _ in aws.objects("log/")}
    held = {
        (key.removeprefix("log/").partition(".")[0], record.sequence)
        for key, entry in entries.items()
        for record in entry.records
    }
    lost = acknowledged - held
    _require(not lost, f"lost: {len(lost)} acknowledged records are in no entry")
    good = {key: len(entry.good) for key, entry in entries.items()}
    _require(table.counts == good, "uncounted: the live counters differ from the entries")
    known = Counter(key.removeprefix("log/").rpartition("-")[0] for key in entries)
    for log, (number, _) in table.rows.items():
        _require(number <= known[log], f"the row of {log} knows an entry that doesn't exist")
    stored = {
        (key.removeprefix("log/").partition("/")[0], record.identity)
        for key, entry in entries.items()
        for record in entry.records
    }
    good_events = {
        (key.removeprefix("log/").partition("/")[0], identity)
        for key, entry in entries.items()
        for identity in entry.identities
    }
    _require(stored == good_events, "lost: an event has duplicates and no good row")


def _require(holds: object, breach: str) -> None:
    if not holds:
        raise InvariantError(breach)
