"""The two handlers as the proof runs them, with their records and mapping settings."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

import pytest

from aws_emulator.event_sources.records import Record
from aws_emulator.simulator import dynamodb_records, fault_point, kinesis_records
from stream_processor.commit import newest_entries, shard_log
from stream_processor.handlers import changes, events
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.handlers.partial_batch import RESERVE_MS
from stream_processor.rows.lake_schema import GOOD
from stream_processor.storage import live_counters
from stream_processor.storage.app_context import AppContext
from tests.unit.stream_processor.fakes import SETTINGS, Context, FakeAws
from tests.unit.stream_processor.proof.lake_checker import InvariantError, LakeChecker, require
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected

#: The stream of the handlers that read one.
STREAM: Final = "simulated"


class ContextWithTimeForObjects(Context):
    """A Lambda context whose remaining time allows `objects` objects after the first."""

    def __init__(self, objects: int) -> None:
        super().__init__()
        self._objects = objects

    def get_remaining_time_in_millis(self) -> int:
        self._objects -= 1
        return RESERVE_MS + 1 if self._objects >= 0 else RESERVE_MS


class SimulatedHandler:
    """One handler with its processes. If `cold` is set, the next invocation uses a new process."""

    prefix: ClassVar[str]
    mapping: ClassVar[dict[str, Any]] = {}
    #: The first sequence number, and the distance to the next one.
    first: ClassVar[int]
    step: ClassVar[int]

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.cold = False
        self.objects = 99
        self._monkeypatch = monkeypatch
        self._idle: list[Any] = []
        #: The objects that the invocation of a thread has time for.
        self._allowed = threading.local()

    def patch(self) -> None:
        """Let the writer check that it begins no object within the time reserve."""
        self._monkeypatch.setattr(shard_log, "report", self._check_time(shard_log.report))

    def __call__(self, event: dict[str, Any]) -> Any:
        """Run one invocation. A process is reused unless its invocation crashed."""
        objects = self.objects
        context = ContextWithTimeForObjects(objects)
        fault_point("start")
        # The process that was idle for longest: others wrote since.
        warm = self._idle and not self.cold
        process = self._idle.pop(0) if warm else self.process(self.aws.app())
        # Only now: an invocation that crashed at its start must leave no limit to the thread, which
        # an operator's command can use next.
        self._allowed.objects = 1 + objects
        try:
            response = self.handle(process, event, context)
        except Exception:
            self._idle.append(process)
            raise
        finally:
            del self._allowed.objects
        fault_point("end")
        self._idle.append(process)
        return response

    def _check_time(self, report: Callable[..., None]) -> Callable[..., None]:
        """Return `report` with a check that no object was begun within the time reserve."""

        def checked(shard: str, outcome: Any, batch: Any) -> None:
            # An operator's command has no limit.
            if len(outcome.commits) > getattr(self._allowed, "objects", len(outcome.commits)):
                raise InvariantError("an object was written within the time reserve")
            report(shard, outcome, batch)

        return checked

    def process(self, app: AppContext) -> Any:
        """Return the objects that a new process creates once."""
        raise NotImplementedError

    def handle(self, process: Any, event: dict[str, Any], context: Context) -> Any:
        """Run the handler in a process."""
        raise NotImplementedError

    def record(
        self, shard: str, sequence: int, arrived: float, kind: int
    ) -> tuple[Record, Sequence[str | None]]:
        """Return a record of one of ten kinds, and its row identities (see `ExpectedRecord`)."""
        raise NotImplementedError

    def check_end(self, checker: LakeChecker) -> None:
        """Check further invariants after all records are delivered."""


class SimulatedEventsHandler(SimulatedHandler):
    """The events handler: records with several events, some sent twice, some unreadable."""

    prefix = "events"
    # Sequence numbers grow from 55 to 56 digits after a few records.
    step = 1208925819614629174706176
    first = 10**55 - 5 * step

    def process(self, app: AppContext) -> EventsHandler:
        return EventsHandler(app)

    def handle(self, process: Any, event: dict[str, Any], context: Context) -> Any:
        self._monkeypatch.setattr(events, "_handler", lambda: process)
        return events.lambda_handler(event, context)

    def record(
        self, shard: str, sequence: int, arrived: float, kind: int
    ) -> tuple[Record, Sequence[str | None]]:
        return self.stream_record(STREAM, shard, sequence, arrived, kind)

    def stream_record(
        self, stream: str, shard: str, sequence: int, arrived: float, kind: int, key: str = "0"
    ) -> tuple[Record, Sequence[str | None]]:
        """Return a record of a stream, with a partition key."""
        number = (sequence - self.first) // self.step
        unique = "" if stream == STREAM else f"{stream}-"
        own = [f"{unique}{number}-{index}" for index in range(kind % 3)]
        # A client resends an event without a response, in another record.
        resent = [f"{unique}{max(number - 2, 0)}-0"] if kind in (3, 6) else []
        identities: list[str | None] = [*own, *resent]
        head = header(f"request-{number}", received_at=iso(arrived), bot=kind == 4)
        bad = [rejected(index=9)] if kind == 5 else []
        payload = packed(
            head,
            [accepted(row_identity, f"/{kind}") for row_identity in identities if row_identity],
            bad,
        )
        identities += [None] * len(bad)
        if kind == 9:
            payload, identities = b"\xff not a record %d" % number, [None]
        (record,) = kinesis_records(
            [payload],
            keys=[key],
            shard_id=shard,
            first=sequence,
            arrived=arrived,
            spacing_s=0,
            stream_arn=f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}",
        )
        return record, identities

    def check_end(self, checker: LakeChecker) -> None:
        """Check that the live counters count each good row once.

        The hourly job counts the entries whose writers crashed, if their logs had no other writer.
        """
        for hour_ms in {log.hour_ms for log in checker.logs}:
            newest_entries.count(self.aws.app(), datetime.fromtimestamp(hour_ms / 1000, UTC))
        figures_of_rows = _figures(row for row in checker.rows if row["verdict"] == GOOD)
        counts: Counter[tuple[str, str, str]] = Counter()
        for minute, figures in live_counters.since(self.aws.app().live, ""):
            counts[minute, "all", ""] += figures.events
            counts[minute, "bots", ""] += figures.bots
            maps = {"source": figures.sources, "country": figures.countries}
            for field, values in {**maps, "page_path": figures.pages}.items():
                for value, count in values.items():
                    counts[minute, field, value] += count
        excess, deficit = counts - figures_of_rows, figures_of_rows - counts
        require(
            not excess | deficit, f"live counters: {dict(excess)} too many, {dict(deficit)} too few"
        )


def _figures(rows: Iterable[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    figures: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        minute = f"{row['received_at']:%Y-%m-%dT%H:%M}"
        figures[minute, "all", ""] += 1
        figures[minute, "bots", ""] += row["bot"]
        for field in ("source", "country", "page_path"):
            figures[minute, field, row[field]] += 1
    return figures


class SimulatedChangesHandler(SimulatedHandler):
    """The changes handler: changes of this and another Region, in tumbling windows."""

    prefix = "changes"
    # As in stacks/stream.yaml: only the events of a tumbling window contain the shard ID.
    mapping: ClassVar[dict[str, Any]] = {"TumblingWindowInSeconds": 30}
    step = 7
    first = 10**21 - 5 * step

    def process(self, app: AppContext) -> ChangesHandler:
        return ChangesHandler(app)

    def handle(self, process: Any, event: dict[str, Any], context: Context) -> Any:
        self._monkeypatch.setattr(changes, "ChangesHandler", lambda _: process)
        self._monkeypatch.setattr(changes, "_app_context", self.aws.app)
        return changes.lambda_handler(event, context)

    def record(
        self, shard: str, sequence: int, arrived: float, kind: int
    ) -> tuple[Record, Sequence[str | None]]:
        number = (sequence - self.first) // self.step
        op = ("INSERT", "MODIFY", "REMOVE")[kind % 3]
        own = kind < 7
        item = {
            "pk": {"S": f"A#{number % 4}"},
            "sk": {"S": "x"},
            "version": {"N": str(number)},
            "origin_region": {"S": SETTINGS.region if own else "eu-west-2"},
        }
        change = {
            "eventName": op,
            "Keys": {"pk": item["pk"], "sk": item["sk"]},
            **({} if op == "REMOVE" else {"NewImage": item}),
            **({} if op == "INSERT" else {"OldImage": item}),
        }
        (record,) = dynamodb_records([change], first=sequence, arrived=arrived)
        return record, [f"{op} A#{number % 4} {number}"] if own else []


def iso(seconds: float) -> str:
    """Return a Unix time as the collector writes it."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
