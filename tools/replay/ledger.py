"""The replay's record, which the report compares with the data lake.

The summary (JSON) has counts; the ledger (CSV) has one row for each sent event. They contain no IP
addresses or user agents.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.delivery import Delivery
from tools.replay.events import iso

#: `path_json` is a JSON string in ASCII, because a path may contain line breaks.
COLUMNS: Final = ("message_id", "line", "at", "anonymous_id", "outcome", "path_json")
ACCEPTED: Final = "accepted"
_COUNTERS: Final = ("bad_lines", "rejected", "statuses", "latencies_ms")


@dataclass
class Summary:
    """Counts of one replay. `seconds` is the time from first request to last response."""

    source: dict[str, Any]
    clients: int
    first_request: str = ""
    last_answer: str = ""
    seconds: float = 0.0
    lines: int = 0
    bad_lines: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    requests: int = 0
    retried: int = 0
    lost_connections: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    #: Answered requests by their latency in whole milliseconds. JSON's keys are text.
    latencies_ms: Counter[str] = field(default_factory=Counter)
    access_checks: list[dict[str, Any]] = field(default_factory=list)
    #: The name of the ledger's file, in the same folder.
    ledger: str = ""

    def write(self, path: Path) -> None:
        """Write the summary as JSON."""
        path.write_text(json.dumps(vars(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Summary":
        """Read a summary.

        Raises:
            CommandError: The file is missing or invalid.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            for name in _COUNTERS:
                document[name] = Counter(document[name])
            return cls(**document)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CommandError(
                f"Can't read {path}: not the summary of a replay. Run the replay first."
            ) from error


class Ledger:
    """Counts deliveries and writes one row per event. Thread-safe."""

    def __init__(self, file: Any, summary: Summary) -> None:
        self._rows = csv.writer(file)
        self._rows.writerow(COLUMNS)
        self._summary = summary
        self._lock = Lock()

    def record(self, batch: Batch, delivery: Delivery) -> None:
        """Record the outcome of every event of the batch."""
        with self._lock:
            summary = self._summary
            attempts = len(delivery.statuses) + delivery.lost_connections
            summary.batches += 1
            summary.requests += attempts
            summary.retried += attempts - 1
            summary.lost_connections += delivery.lost_connections
            summary.statuses.update(str(status) for status in delivery.statuses)
            summary.sent += len(batch.views)
            summary.accepted += len(batch.views) - len(delivery.rejected)
            summary.rejected.update(delivery.rejected.values())
            for index, view in enumerate(batch.views):
                self._rows.writerow((
                    view.message_id, view.line, iso(view.at), view.visitor.anonymous_id,
                    delivery.rejected.get(index, ACCEPTED), json.dumps(view.path),
                ))  # fmt: skip


@contextmanager
def ledger(path: Path, summary: Summary) -> Iterator[Ledger]:
    """Open the ledger in the folder of the summary `path`.

    Raises:
        CommandError: The file can't be written.
    """
    rows = path.with_suffix(".ledger.csv")
    summary.ledger = rows.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = rows.open("w", encoding="ascii", newline="")
    except OSError as error:
        raise CommandError(
            f"Can't write {rows}: {error.strerror}. Check the folder and the free space."
        ) from error
    with file:
        yield Ledger(file, summary)
