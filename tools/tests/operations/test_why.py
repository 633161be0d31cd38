"""The sentences of `make why` for each state of an event."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.operations import commands, why
from tools.operations.commands import OperatedStack
from tools.operations.why import MAX_COPIES, RegionalCopy, explain

KEY = "events/date=2026-11-27/hour=10/shardId-000000000000-00000001.parquet"


def copy_of(
    verdict: str = "good", location: str = "lake", region: str = "us-east-1", **row: Any
) -> RegionalCopy:
    """Return a copy of the event m1, the first row of record 7."""
    columns = {
        "verdict": verdict, "message_id": "m1", "source": "portal", "type": "page",
        "page_path": "/a", "received_at": "2026-11-27T10:00:00.000+00:00",
        "edge_region": "eu-west-2", "stream_region": region,
        "shard_id": "shardId-000000000000", "sequence_number": "7",
        "record_index": 0, "request_id": "r1", "reason_code": None, "reason": None,
    }  # fmt: skip
    return RegionalCopy(region, location, "" if location == "stream" else KEY, {**columns, **row})


def text(*copies: RegionalCopy) -> str:
    return "\n".join(explain(copies))


def test_good_event_is_explained_with_its_record_and_object() -> None:
    lines = text(copy_of()).splitlines()
    assert lines[0] == "1 good"
    assert lines[2] == 'good: m1 (page "/a")'
    assert "  received   2026-11-27T10:00:00.000+00:00 by the edge in eu-west-2" in lines
    assert f"  object     {KEY} (us-east-1)" in lines
    assert "  request    r1" in lines


def test_duplicate_names_the_object_of_the_first_copy() -> None:
    explained = text(copy_of(), copy_of("duplicate", sequence_number="8"))
    assert explained.startswith("1 good, 1 duplicate")
    assert f"The first copy is in {KEY} (us-east-1)." in explained


def test_duplicate_without_its_first_copy_asks_for_an_earlier_date() -> None:
    assert "FROM=<date> finds it" in text(copy_of("duplicate"))


def test_bad_event_has_its_reason_and_the_command_that_reads_it_again() -> None:
    explained = text(copy_of("bad", reason_code="type_unknown", reason="No such type."))
    assert "type_unknown: No such type. After a fix, `make redrive` reads it again." in explained


def test_bad_event_that_a_redrive_accepted_is_closed() -> None:
    bad = copy_of("bad", reason_code="type_unknown", reason="No such type.")
    assert text(bad, copy_of()).startswith("1 bad, closed, 1 good")


def test_bad_event_at_the_same_position_of_another_region_is_not_closed() -> None:
    bad = copy_of("bad", reason_code="type_unknown", reason="No such type.", message_id=None)
    assert text(bad, copy_of(region="eu-west-2")).startswith("1 bad, 1 good")


@pytest.mark.parametrize(
    ("location", "state", "command"),
    [
        ("failures", "discarded", "`make redrive`"),
        ("stream", "on the way", "`make verify`"),
        ("erased", "erased", "`make erase`"),
        ("suppressed", "suppressed", "`make suppress`"),
    ],
)
def test_event_outside_the_lake_has_the_command_to_use(
    location: str, state: str, command: str
) -> None:
    explained = text(copy_of(location=location))
    assert explained.startswith(f"1 {state}\n")
    assert command in explained


def test_record_of_another_producer_isnt_said_to_come_from_the_edge() -> None:
    lines = text(copy_of(edge_region=None)).splitlines()
    (received,) = [it for it in lines if it.startswith("  received")]
    assert received.endswith("by the stream; the record names no edge location")


def test_event_in_two_regions_is_explained() -> None:
    assert "Count each messageId once" in text(copy_of(), copy_of(region="eu-west-2"))


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-2"])
def test_of_two_good_copies_the_one_that_queries_count_is_named(region: str) -> None:
    first = copy_of()
    second = copy_of(region=region, sequence_number="9", received_at="2026-11-27T10:00:01.000")
    view = "events_once" if region == first.region else "events_once_all_regions"
    lines = text(second, first).splitlines()
    assert sum(f"`{view}` has this copy" in it for it in lines) == 1
    assert sum(f"`{view}` has that copy" in it for it in lines) == 1
    assert f"`{view}` has that copy" in lines[3]


def test_repaired_value_is_named() -> None:
    assert "time_invalid" in text(copy_of(reason_code="time_invalid"))


def test_only_the_newest_copies_are_printed() -> None:
    copies = [copy_of(message_id=f"m{n}") for n in range(MAX_COPIES + 5)]
    explained = text(*copies)
    assert explained.startswith(f"{MAX_COPIES + 5} good")
    assert explained.count("good: m") == MAX_COPIES


def test_why_without_an_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="ID=<messageId"):
        why.main({"ID": " "}, tmp_path)


def test_why_without_a_running_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Start `make up`"):
        why.main({"ID": "m1"}, tmp_path)


STACKS = [OperatedStack({}, "dev", region, {}) for region in ("us-east-1", "eu-west-2")]


def test_copies_of_all_regions_are_joined(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    calls = []

    def run(stack: OperatedStack, name: str, arguments: list[str], *, capture: bool) -> Any:
        calls.append((stack.region, name, *arguments))
        copies = [{"location": "lake", "key": KEY, "row": dict(copy_of().row)}]
        return subprocess.CompletedProcess([], 0, json.dumps(copies), "")

    monkeypatch.setattr(commands, "run", run)
    monkeypatch.setattr(why, "stacks_of", lambda *_: STACKS)
    assert why.main({"ID": "-m1", "FROM": "2026-11-01"}, tmp_path) == 0
    assert calls == [
        (region, "why", "--from=2026-11-01", "--", "-m1") for region in ("us-east-1", "eu-west-2")
    ]
    assert capsys.readouterr().out.startswith("2 good")


def test_unknown_id_prints_where_the_command_looked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = subprocess.CompletedProcess([], 0, "[]", "")
    monkeypatch.setattr(commands, "run", lambda *_, **__: empty)
    monkeypatch.setattr(why, "stacks_of", lambda *_: STACKS)
    assert why.main({"ID": "m1"}, tmp_path) == 1
    printed = capsys.readouterr().out
    assert "us-east-1, eu-west-2" in printed
    assert "`make erase`" in printed


def test_region_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "why: Can't read the streams: x. (storage)")
    monkeypatch.setattr(commands, "run", lambda *_, **__: failed)
    with pytest.raises(CommandError, match="Can't look for the ID in us-east-1: why: Can't read"):
        why.find(STACKS[:1], "m1", [])
