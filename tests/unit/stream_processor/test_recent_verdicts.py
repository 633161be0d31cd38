"""Tests of the newest verdicts: bounded, in order, added once, and without personal data."""

import json
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from stream_processor.rows import verdicts
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.rows.verdicts import KEPT, Verdict
from stream_processor.storage import parquet, recent_verdicts
from stream_processor.storage.recent_verdicts import BOARD_PREFIX
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected
from tests.unit.stream_processor.test_event_rows import table_of

EXPIRES: Final = 1_795_500_000


def verdict(number: int, kind: str = GOOD) -> Verdict:
    return Verdict(f"2026-11-21T11:00:{number:06.3f}Z", kind, "page", "", "", f"r-{number}", 0)


def stored(aws: FakeAws, source: str, name: str = "shard") -> list[Verdict]:
    item = aws.app().live.get({"board": {"S": f"{BOARD_PREFIX}{source}"}, "slot": {"S": name}})
    return [] if item is None else recent_verdicts.read(item)


def test_verdicts_of_object_have_position_and_reason_by_source() -> None:
    first = packed(
        header("r-1"),
        [accepted("m-1"), accepted("m-2", index=2)],
        [rejected("invalid_timestamp", index=1)],
    )
    again = packed(header("r-2", source="shop"), [accepted("m-1"), accepted("m-1", index=1)])
    _, table = table_of(first, again)
    by_source = verdicts.newest(table)
    assert by_source == verdicts.newest(parquet.read(parquet.write(table)))
    brief = {
        source: [(v.verdict, v.type, v.code, v.request_id, v.position) for v in rows]
        for source, rows in by_source.items()
    }
    assert brief == {
        "portal": [
            ("bad", "", "invalid_timestamp", "r-1", 2),
            ("good", "page", "", "r-1", 0),
            ("good", "page", "", "r-1", 1),
        ],
        "shop": [
            ("duplicate", "page", "duplicate_in_object", "r-2", 1),
            ("good", "page", "", "r-2", 0),
        ],
    }
    assert {v.received_at for rows in by_source.values() for v in rows} == {
        "2026-11-21T11:00:00.123Z"
    }


def test_verdicts_hold_no_personal_data() -> None:
    canary: dict[str, Any] = {
        "event": "canary",
        "name": "canary",
        "userId": "canary",
        "anonymousId": "canary",
        "properties": {"url": "https://canary", "path": "/canary"},
        "context": {"page": {"title": "canary"}, "userAgent": "canary"},
    }
    payload = packed(
        header(ip="canary", user_agent="canary", city="canary", country="canary"),
        [accepted("canary-id", **canary)],
        [rejected(raw=json.dumps(canary), index=1)],
    )
    _, table = table_of(payload)
    aws = FakeAws()
    recent_verdicts.add(aws.app().live, "shard", verdicts.newest(table), EXPIRES)
    assert len(stored(aws, "portal")) == 2
    assert "canary" not in str(aws.dynamodb.items)


def test_record_without_source_has_no_verdict() -> None:
    _, table = table_of(b'{"type":"page"}')
    assert verdicts.newest(table) == {}


@given(st.lists(st.sampled_from([GOOD, BAD, DUPLICATE]), max_size=120), st.integers(1, 40))
def test_newest_verdicts_of_each_kind_remain(kinds: list[str], size: int) -> None:
    """A source's refused events don't push out its accepted ones, whatever the division."""
    every = [verdict(number, kind) for number, kind in enumerate(kinds)]
    aws = FakeAws()
    for start in range(0, len(every), size):
        part = {"portal": every[start : start + size]}
        recent_verdicts.add(aws.app().live, "shard", part, EXPIRES)
    expected = [
        one
        for position, one in enumerate(every)
        if kinds[position + 1 :].count(one.verdict) < KEPT[one.verdict]
    ]
    assert stored(aws, "portal") == expected


def test_object_that_comes_twice_adds_its_verdicts_once() -> None:
    aws = FakeAws()
    for number in (1, 1, 2, 1):
        by_source = {"portal": [verdict(number)]}
        recent_verdicts.add(aws.app().live, "shard", by_source, EXPIRES)
    assert stored(aws, "portal") == [verdict(1), verdict(2)]


def test_item_expires_and_stays_small() -> None:
    aws = FakeAws()
    full = [
        Verdict(
            "2026-11-21T11:00:00.000Z", kind, "é" * 200, "c" * 200, "r" * 200, "i" * 200, number
        )
        for kind in KEPT
        for number in range(30)
    ]
    recent_verdicts.add(aws.app().live, "shard", {"portal": full}, EXPIRES)
    (item,) = aws.dynamodb.items["live"].values()
    assert item["expires_at"] == {"N": str(EXPIRES)}
    # DynamoDB: an item has at most 400 KB.
    assert len(str(item).encode()) < 100_000
