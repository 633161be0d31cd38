"""The law under faults: whatever AWS does to a batch, each record's rows are in the lake once.

The simulator delivers, repeats, splits, overlaps and gives up as an event source mapping may; the
fakes die before and after each effect. What is driven is the real door with the real adapters.
"""

import os
import random
import time
from collections import Counter
from typing import Any

import pytest

import clickstream
from stream_processor import live, parquet
from stream_processor.changes import Changes
from stream_processor.events import Events
from stream_processor.schema import BAD, DUPLICATE, GOOD
from tests.simulator import (
    Faults,
    Report,
    SimulatedShard,
    Simulator,
    dynamodb_records,
    fault_point,
    kinesis_records,
)
from tests.stream_processor.fakes import World
from tests.stream_processor.records import accepted, header, packed

RUNS = {"quick": 10, "ci": 150, "deep": 2_000}[os.environ.get("HYPOTHESIS_PROFILE", "quick")]

#: As in stacks/stream.yaml, with batches so small that a short stream has many.
MAPPING = {
    "BatchSize": 7,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": -1,
}


def payloads(rng: random.Random, count: int) -> list[bytes]:
    """Records of a few events each, some sent twice, some unreadable."""
    made: list[bytes] = []
    for place in range(count):
        kind = rng.random()
        if kind < 0.1 and made:
            made.append(rng.choice(made))
        elif kind < 0.2:
            made.append(b"\xff not a record %d" % place)
        else:
            events = [accepted(f"{place}-{n}", f"/{n}") for n in range(rng.randint(0, 3))]
            made.append(packed(header(f"request-{place}"), events))
    return made


class Lambda:
    """Processes of one function: one call at a time each, and a crash is the end of one."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world = world
        self._rng = rng
        self._idle: list[Events] = []

    def __call__(self, event: dict[str, Any]) -> Any:
        fault_point("start")
        warm = self._idle and self._rng.random() < 0.8
        process = self._idle.pop() if warm else Events(self._world.house())
        try:
            answer = process.handle(event, lambda: self._rng.random() < 0.9)
        except Exception:
            self._idle.append(process)
            raise
        self._idle.append(process)
        fault_point("end")
        return answer


def deliver(
    world: World, shards: list[SimulatedShard], seed: int, faults: Faults, **more: Any
) -> Report:
    """One run, to its end."""
    function = Lambda(world, random.Random(seed))
    report = Simulator(shards, MAPPING | more, function, seed, faults).run()
    assert not report.unaccounted
    return report


def rows(world: World, prefix: str = "events/") -> list[dict[str, Any]]:
    return [row for _, body, _ in world.objects(prefix) for row in parquet.read(body).to_pylist()]


def check_lake(world: World, delivered: dict[int, int]) -> None:
    """Each record has its rows once, and the objects' metadata says what is in them."""
    found = Counter(int(row["sequence_number"]) for row in rows(world))
    assert found == Counter({s: n for s, n in delivered.items() if n})
    for _, body, metadata in world.objects("events/"):
        verdicts = Counter(parquet.read(body, ["verdict"]).column("verdict").to_pylist())
        assert {name: int(metadata[name]) for name in (GOOD, BAD, DUPLICATE)} == {
            name: verdicts[name] for name in (GOOD, BAD, DUPLICATE)
        }


def check_good_once(world: World) -> None:
    """Every id that came in is good once; of a shard's own window nothing is good twice here."""
    good = Counter(row["message_id"] for row in rows(world) if row["verdict"] == GOOD)
    known = {row["message_id"] for row in rows(world) if row["verdict"] != BAD}
    assert good.keys() == known
    assert set(good.values()) <= {1}


def check_live(world: World) -> None:
    """The live minutes count the good rows, no matter how often they were delivered."""
    counted: Counter[str] = Counter()
    pages: Counter[str] = Counter()
    for minute, figures in live.since(world.house().live, ""):
        counted[minute] += figures.events
        pages += figures.pages
    good = [row for row in rows(world) if row["verdict"] == GOOD]
    assert counted == Counter(f"{row['received_at']:%Y-%m-%dT%H:%M}" for row in good)
    assert pages == Counter(row["page_path"] for row in good)


def check_tiles(world: World) -> None:
    """Each object of a shard begins where the one before ended."""
    ends: dict[str, str] = {}
    for key, _, metadata in sorted(world.objects("events/"), key=lambda it: it[2]["first"]):
        shard = key.rpartition("/")[2].rpartition("-")[0]
        assert metadata["previous"] == ends.get(shard, "none")
        assert metadata["first"] <= metadata["last"]
        ends[shard] = metadata["last"]


def units(payload: bytes) -> int:
    if not clickstream.is_packed(payload):
        return 1
    lines = clickstream.unpack(payload)
    return len(lines.accepted) + len(lines.rejected)


@pytest.mark.parametrize("seed", range(RUNS))
def test_no_row_is_lost_and_none_is_there_twice(seed: int) -> None:
    rng, world = random.Random(seed), World()
    parts = [payloads(rng, rng.randint(0, 30)) for _ in range(rng.choice([1, 1, 2]))]
    shards = [
        SimulatedShard(
            f"shardId-{n:012d}",
            kinesis_records(part, shard_id=f"shardId-{n:012d}", first=10**55 + n),
        )
        for n, part in enumerate(parts)
    ]
    deliver(world, shards, seed, Faults.heavy())
    expected = {
        record.number: units(payload)
        for shard, part in zip(shards, parts, strict=True)
        for record, payload in zip(shard.records, part, strict=True)
    }
    check_lake(world, expected)
    check_live(world)
    check_tiles(world)
    if len(shards) == 1:
        check_good_once(world)


@pytest.mark.parametrize("seed", range(RUNS))
def test_what_was_given_up_is_not_in_the_lake_twice_either(seed: int) -> None:
    """With a bound on retries Lambda gives records up that may have been written already."""
    rng, world = random.Random(seed), World()
    part = payloads(rng, 25)
    records = kinesis_records(part, arrived=time.time() - 3_600)
    shard = SimulatedShard("shardId-000000000000", records)
    faults = Faults(crash=0.08, error=0.1, restart=0.02)
    report = deliver(world, [shard], seed, faults, MaximumRetryAttempts=1)
    given_up = {int(sequence) for sequence in report.discarded}
    found = Counter(int(row["sequence_number"]) for row in rows(world))
    for record, payload in zip(shard.records, part, strict=True):
        count = found.pop(record.number, 0)
        assert (
            count in {0, units(payload)} if record.number in given_up else count == units(payload)
        )
    assert not found
    check_tiles(world)


@pytest.mark.parametrize("seed", range(RUNS))
def test_rows_that_are_lost_are_rebuilt_from_the_lake(seed: int) -> None:
    """Half-way, all high-water rows are gone, and a new mapping starts at TRIM_HORIZON."""
    rng, world = random.Random(seed), World()
    part = payloads(rng, 30)
    records = kinesis_records(part, arrived=time.time() - 3_600, spacing_s=60)
    name = "shardId-000000000000"
    half = rng.randint(0, len(records))
    deliver(world, [SimulatedShard(name, records[:half])], seed, Faults.heavy())
    world.dynamodb.items.pop("checkpoints", None)
    # The stream may have forgotten its oldest records: the new start is in the middle of an object.
    forgotten = rng.randint(0, half)
    deliver(world, [SimulatedShard(name, records[forgotten:])], seed + 1, Faults.heavy())
    expected = zip(records, part, strict=True)
    check_lake(world, {record.number: units(payload) for record, payload in expected})
    check_tiles(world)


REGION_OF = {True: "us-east-1", False: "eu-west-2"}


def change(rng: random.Random, place: int) -> dict[str, Any]:
    """A change of an appointment, in this region or in another."""
    op = rng.choice(["INSERT", "MODIFY", "REMOVE"])
    item = {
        "pk": {"S": f"A#{place % 5}"},
        "sk": {"S": "x"},
        "version": {"N": str(place)},
        "origin_region": {"S": REGION_OF[rng.random() < 0.7]},
    }
    return {
        "eventName": op,
        "Keys": {"pk": item["pk"], "sk": item["sk"]},
        **({} if op == "REMOVE" else {"NewImage": item}),
        **({} if op == "INSERT" else {"OldImage": item}),
    }


@pytest.mark.parametrize("window", [{}, {"TumblingWindowInSeconds": 30}])
@pytest.mark.parametrize("seed", range(RUNS))
def test_each_change_of_the_own_region_is_in_the_lake_once(
    seed: int, window: dict[str, int]
) -> None:
    rng, world = random.Random(seed), World()
    records = dynamodb_records([change(rng, place) for place in range(rng.randint(0, 25))])

    def handler(event: dict[str, Any]) -> Any:
        fault_point("start")
        answer = Changes(world.house()).handle(event, lambda: rng.random() < 0.9)
        fault_point("end")
        return answer

    report = Simulator(records, MAPPING | window, handler, seed, Faults.heavy()).run()
    assert not report.unaccounted
    own = {
        record.number
        for record in records
        if '"origin_region":{"S":"us-east-1"}' in record.text.replace(" ", "")
    }
    found = Counter(int(row["sequence_number"]) for row in rows(world, "changes/"))
    assert found == Counter(own)
