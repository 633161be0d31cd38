"""The two doors as the proof drives them: their records, their handlers, their settings."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from aws_emulator.event_sources.records import Record
from aws_emulator.simulator import dynamodb_records, fault_point, kinesis_records
from stream_processor.handlers import changes, events
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.handlers.partial_batch import RESERVE_MS
from stream_processor.rows.lake_schema import GOOD
from stream_processor.storage import live_counters
from stream_processor.storage.app_context import AppContext
from tests.unit.stream_processor.fakes import SETTINGS, Context, FakeAws
from tests.unit.stream_processor.proof.ledger import Ledger
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected


class Clock(Context):
    """Lambda's context of one invocation: there is time for so many objects beside the first."""

    def __init__(self, objects: int) -> None:
        super().__init__()
        self._objects = objects

    def get_remaining_time_in_millis(self) -> int:
        self._objects -= 1
        return RESERVE_MS + 1 if self._objects >= 0 else RESERVE_MS


class SimulatedHandler:
    """One handler, over as many processes as run at once. `cold`: the next call is a new one's."""

    prefix: ClassVar[str]
    mapping: ClassVar[dict[str, Any]] = {}
    #: The first sequence number, and the distance to the next one.
    first: ClassVar[int]
    step: ClassVar[int]

    def __init__(self, aws: FakeAws, patched: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.cold = False
        self.objects = 99
        self._patched = patched
        self._idle: list[Any] = []

    def __call__(self, event: dict[str, Any]) -> Any:
        """One invocation. A process whose call died is gone; any other serves again."""
        context = Clock(self.objects)
        fault_point("start")
        warm = self._idle and not self.cold
        process = self._idle.pop() if warm else self.process(self.aws.app())
        try:
            answer = self.handle(process, event, context)
        except Exception:
            self._idle.append(process)
            raise
        fault_point("end")
        self._idle.append(process)
        return answer

    def process(self, app: AppContext) -> Any:
        """What a new process makes once and keeps."""
        raise NotImplementedError

    def handle(self, process: Any, event: dict[str, Any], context: Context) -> Any:
        """One invocation of the handler in a process."""
        raise NotImplementedError

    def record(
        self, shard: str, sequence: int, arrived: float, kind: int
    ) -> tuple[Record, Sequence[str | None]]:
        """A record of one of ten kinds, and the units that it holds (see `Entry`)."""
        raise NotImplementedError

    def check_end(self, ledger: Ledger, given_up: set[int]) -> None:
        """What else has to hold once everything is delivered."""


class SimulatedEventsHandler(SimulatedHandler):
    """Kinesis: records of several events, some of them sent twice, some unreadable."""

    prefix = "events"
    # Sequence numbers get a digit more after a few records: 55, then 56.
    step = 1208925819614629174706176
    first = 10**55 - 5 * step

    def process(self, app: AppContext) -> EventsHandler:
        return EventsHandler(app)

    def handle(self, process: Any, event: dict[str, Any], context: Context) -> Any:
        self._patched.setattr(events, "_handler", lambda: process)
        return events.lambda_handler(event, context)

    def record(
        self, shard: str, sequence: int, arrived: float, kind: int
    ) -> tuple[Record, Sequence[str | None]]:
        name = (sequence - self.first) // self.step
        own = [f"{name}-{place}" for place in range(kind % 3)]
        # A client sends what it got no answer for once more, in another record.
        sent_again = [f"{max(name - 2, 0)}-0"] if kind in (3, 6) else []
        units: list[str | None] = [*own, *sent_again]
        head = header(f"request-{name}", received_at=_iso(arrived), bot=kind == 4)
        bad = [rejected(place=9)] if kind == 5 else []
        payload = packed(head, [accepted(unit, f"/{kind}") for unit in units if unit], bad)
        units += [None] * len(bad)
        if kind == 9:
            payload, units = b"\xff no record %d" % name, [None]
        (record,) = kinesis_records(
            [payload], shard_id=shard, first=sequence, arrived=arrived, spacing_s=0
        )
        return record, units

    def check_end(self, ledger: Ledger, given_up: set[int]) -> None:
        """The live minutes count the good rows, however often they were delivered.

        An object whose writer died, and whose batch was given up, is counted by whoever comes
        next; in a shard that has ended nobody does.
        """
        good = [row for row in ledger.rows if row["verdict"] == GOOD]
        most = _figures(good)
        least = _figures(row for row in good if int(row["sequence_number"]) not in given_up)
        counted: Counter[tuple[str, str, str]] = Counter()
        for minute, figures in live_counters.since(self.aws.app().live, ""):
            counted[minute, "all", ""] += figures.events
            counted[minute, "bots", ""] += figures.bots
            maps = {"source": figures.sources, "country": figures.countries}
            for what, counts in {**maps, "page_path": figures.pages}.items():
                for name, count in counts.items():
                    counted[minute, what, name] += count
        over, under = counted - most, least - counted
        ledger.law(not over | under, f"live: {dict(over)} too many, {dict(under)} too few")


def _figures(rows: Iterable[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        minute = f"{row['received_at']:%Y-%m-%dT%H:%M}"
        found[minute, "all", ""] += 1
        found[minute, "bots", ""] += row["bot"]
        for what in ("source", "country", "page_path"):
            found[minute, what, row[what]] += 1
    return found


class SimulatedChangesHandler(SimulatedHandler):
    """DynamoDB Streams: changes of this region and of another, in the windows of the mapping."""

    prefix = "changes"
    # As in stacks/stream.yaml: only the events of a window name their shard.
    mapping: ClassVar[dict[str, Any]] = {"TumblingWindowInSeconds": 30}
    step = 7
    first = 10**21 - 5 * step

    def process(self, app: AppContext) -> ChangesHandler:
        return ChangesHandler(app)

    def handle(self, process: Any, event: dict[str, Any], context: Context) -> Any:
        self._patched.setattr(changes, "ChangesHandler", lambda _: process)
        self._patched.setattr(changes, "_app_context", self.aws.app)
        return changes.lambda_handler(event, context)

    def record(
        self, shard: str, sequence: int, arrived: float, kind: int
    ) -> tuple[Record, Sequence[str | None]]:
        name = (sequence - self.first) // self.step
        op = ("INSERT", "MODIFY", "REMOVE")[kind % 3]
        own = kind < 7
        item = {
            "pk": {"S": f"A#{name % 4}"},
            "sk": {"S": "x"},
            "version": {"N": str(name)},
            "origin_region": {"S": SETTINGS.region if own else "eu-west-2"},
        }
        change = {
            "eventName": op,
            "Keys": {"pk": item["pk"], "sk": item["sk"]},
            **({} if op == "REMOVE" else {"NewImage": item}),
            **({} if op == "INSERT" else {"OldImage": item}),
        }
        (record,) = dynamodb_records([change], first=sequence, arrived=arrived)
        return record, [f"{op} A#{name % 4} {name}"] if own else []


def _iso(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
