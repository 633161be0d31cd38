"""The SQL queries return what plain Python code computes from the same rows."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.errors import CommandError
from tools.replay.ledger import ACCEPTED, COLUMNS
from tools.report.lake_tables import QUERIES, Tables, open_tables
from tools.tests.report.lake_files import Row, parquet

SINCE = datetime(2025, 9, 15, 8, tzinfo=UTC)
GAP_MS = 30 * 60 * 1000
#: The columns of ranges, each with its last value; the last range has no end.
_VIEWS: dict[str, int | None] = {
    "views_1": 1, "views_2": 2, "views_3": 5, "views_6": 10, "views_11": 20, "views_21": 50,
    "views_51": None,
}  # fmt: skip
_LENGTHS: dict[str, int | None] = {
    "length_0s": 0, "length_1s": 59_999, "length_1m": 299_999, "length_5m": 899_999,
    "length_15m": 1_799_999, "length_30m": 3_600_000, "length_60m": None,
}  # fmt: skip


@contextmanager
def opened(objects: Sequence[Sequence[Row]], sent: dict[str, str]) -> Iterator[Tables]:
    """Open a lake with these objects and a ledger with these message ids and outcomes."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.parquet") for number in range(len(objects))]
        for path, rows in zip(paths, objects, strict=True):
            path.write_bytes(parquet(rows))
        ledger = Path(folder, "ledger.csv")
        with ledger.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows((name, 1, "", "", outcome, '"/"') for name, outcome in sent.items())
        with open_tables(paths, ledger, SINCE) as tables:
            yield tables


def good(name: str, visitor: str = "v", at: datetime = SINCE, **more: Any) -> Row:
    return {
        "verdict": "good", "message_id": name, "anonymous_id": visitor, "timestamp": at,
        "received_at": SINCE + timedelta(seconds=1), "page_path": "/", **more,
    }  # fmt: skip


views = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from([0, 1, 999, GAP_MS - 1, GAP_MS, GAP_MS + 1, 90_000])
        | st.integers(0, 10**8),
    ),
    max_size=60,
)


@pytest.mark.slow
@given(views)
def test_sessions_query_matches_python(argument: list[tuple[int, int]]) -> None:
    moments: dict[int, list[int]] = {}
    for visitor, ms in argument:
        moments.setdefault(visitor, []).append(ms)
    sessions: list[list[int]] = []
    for each in moments.values():
        last = None
        for ms in sorted(each):
            if last is None or ms - last > GAP_MS:
                sessions.append([])
            sessions[-1].append(ms)
            last = ms
    lengths = sorted(each[-1] - each[0] for each in sessions)
    sizes = sorted(len(each) for each in sessions)

    rows = [
        good(str(number), str(visitor), SINCE + timedelta(milliseconds=ms))
        for number, (visitor, ms) in enumerate(argument)
    ]
    with opened([rows, rows[:3]], dict.fromkeys(map(str, range(len(rows))), ACCEPTED)) as lake:
        (row,) = lake.query("sessions")

    count = len(sessions)
    assert {name: int(value or 0) for name, value in row.items()} == {
        "sessions": count,
        "single_view": sizes.count(1),
        "views": len(argument),
        "median_views": sizes[-(-count // 2) - 1] if count else 0,
        "most_views": sizes[-1] if count else 0,
        "total_ms": sum(lengths),
        "median_ms": lengths[-(-count // 2) - 1] if count else 0,
        "p90_ms": lengths[-(-9 * count // 10) - 1] if count else 0,
        "longest_ms": lengths[-1] if count else 0,
        **_by_range(sizes, _VIEWS),
        **_by_range(lengths, _LENGTHS),
    }


def _by_range(values: list[int], last_of_range: dict[str, int | None]) -> dict[str, int]:
    counts = dict.fromkeys(last_of_range, 0)
    for value in values:
        name = next(name for name, last in last_of_range.items() if last is None or value <= last)
        counts[name] += 1
    return counts


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/", "/a", "/ä", "/a\n", None]),
            st.datetimes(datetime(2015, 1, 1), datetime(2016, 1, 1)),  # noqa: DTZ001 - UTC below
            st.sampled_from([True, False, None]),
        ),
        max_size=40,
    )
)
def test_paths_hours_and_bots_queries_match_python(
    page_views: list[tuple[str | None, datetime, bool | None]],
) -> None:
    rows = [
        good(str(number), str(number % 3), at.replace(tzinfo=UTC), page_path=path, bot=bot)
        for number, (path, at, bot) in enumerate(page_views)
    ]
    ids = dict.fromkeys(map(str, range(len(rows))), ACCEPTED)
    with opened([rows, rows[1:2]], ids) as lake:
        paths = [(row["page_path"], row["views"]) for row in lake.query("paths")]
        hours = {int(row["hour_of_day"]): row["views"] for row in lake.query("hours")}
        bots = {row["bot"]: (row["views"], row["visitors"]) for row in lake.query("bots")}

    assert dict(paths) == Counter(path for path, _, _ in page_views)
    assert [count for _, count in paths] == sorted((n for _, n in paths), reverse=True)
    assert hours == Counter(at.hour for _, at, _ in page_views)
    for bot in (True, False):
        ids_of = [number for number, each in enumerate(page_views) if bool(each[2]) == bot]
        assert bots.get(bot, (0, 0)) == (len(ids_of), len({number % 3 for number in ids_of}))


def test_missing_query_counts_accepted_events_without_a_good_row() -> None:
    sent = {"a": ACCEPTED, "b": ACCEPTED, "c": ACCEPTED, "d": "no_type"}
    rows = [good("a"), good("b", verdict="duplicate"), good("e")]
    with opened([rows], sent) as lake:
        assert lake.query("missing") == [{"missing": 2}]
        assert lake.query("stored") == [{"good_rows": 1, "stored": 1}]


def test_verdicts_query_groups_by_verdict_and_reason() -> None:
    rows = [
        good("a"),
        good("a", verdict="duplicate", reason_code="same_id"),
        good("", verdict="bad", reason_code="no_type", message_id=None),
        good("", verdict="bad", message_id=None),
    ]
    with opened([rows], {"a": ACCEPTED}) as lake:
        assert [tuple(row.values()) for row in lake.query("verdicts")] == [
            ("bad", "", 1),
            ("bad", "no_type", 1),
            ("duplicate", "same_id", 1),
            ("good", "", 1),
        ]


def test_events_table_separates_an_earlier_replay_of_the_same_log() -> None:
    before = SINCE - timedelta(milliseconds=1)
    rows = [
        # Stored by two earlier replays, a duplicate in this one.
        good("a", "first", received_at=before - timedelta(days=2)),
        good("a", "second", received_at=before),
        good("a", "third", verdict="duplicate"),
        # Stored by an earlier replay and by this one.
        good("b", "first", received_at=before),
        good("b", "third"),
        # Earlier bad and duplicate rows, and a good row of another sender.
        good("c", verdict="bad", message_id=None, received_at=before),
        good("d", verdict="duplicate", received_at=before),
        good("e"),
    ]
    with opened([rows], {"a": ACCEPTED, "b": ACCEPTED}) as lake:
        assert lake.query("stored") == [{"good_rows": 2, "stored": 2}]
        assert lake.query("missing") == [{"missing": 0}]
        stored_rows = lake.run("SELECT message_id, anonymous_id, verdict FROM events ORDER BY ALL")
        assert lake.run("SELECT count(*) AS rows FROM lake") == [{"rows": 8}]
    assert [tuple(row.values()) for row in stored_rows] == [
        ("a", "second", "good"),
        ("a", "third", "duplicate"),
        ("b", "third", "good"),
    ]


@pytest.mark.parametrize("name", [path.stem for path in sorted(QUERIES.glob("*.sql"))])
def test_each_query_runs_on_an_empty_lake(name: str) -> None:
    with opened([], {"a": ACCEPTED}) as lake:
        assert isinstance(lake.query(name), list)


def test_tables_reject_an_object_that_is_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"not parquet")
    (tmp_path / "ledger.csv").write_text("message_id,outcome\r\n")
    with (
        pytest.raises(CommandError, match="Can't read the data lake's objects"),
        open_tables([tmp_path / "x.parquet"], tmp_path / "ledger.csv", SINCE),
    ):
        pass


def test_location_query_counts_views_by_country_and_address() -> None:
    rows = [
        good("1", ip="203.0.113.0", country="IN"),
        good("2", ip="203.0.113.0", country="IN"),
        good("2", ip="203.0.113.0", country="IN"),
        good("3"),
    ]
    with opened([rows], dict.fromkeys("123", ACCEPTED)) as lake:
        items = lake.query("view_locations")

    assert items == [
        {"country": "IN", "ip": "203.0.113.0", "views": 2},
        {"country": None, "ip": None, "views": 1},
    ]


def test_lag_query_counts_rows_by_time_until_their_object_was_stored() -> None:
    arrived = SINCE + timedelta(seconds=1)
    with TemporaryDirectory() as folder:
        first, second = Path(folder, "1.parquet"), Path(folder, "2.parquet")
        first.write_bytes(parquet([good("1"), good("2")]))
        second.write_bytes(parquet([good("3")]))
        ledger = Path(folder, "ledger.csv")
        ledger.write_text(",".join(COLUMNS) + "\r\n" + '1,1,,,accepted,"""/"""\r\n')
        # The second object's time is unknown: its row isn't measured.
        stored_at = {first: arrived + timedelta(milliseconds=1_250)}
        with open_tables([first, second], ledger, SINCE, stored_at) as lake:
            items = lake.query("lag")

    assert [row["lag_ms"] for row in items] == [1_250]
