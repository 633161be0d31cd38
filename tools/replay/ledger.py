"""What the replay did, written down for whoever has to prove that nothing was lost.

Two files: a summary (JSON) and the ledger (CSV), one row for each event that was sent. Neither
holds an address or a user agent.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from aws_emulator.errors import CommandError
from tools.replay.batches import Batch
from tools.replay.delivery import Delivery
from tools.replay.events import iso

#: `path_json` is a JSON string in ASCII: a path may hold any character, a row is one line.
COLUMNS = ("message_id", "line", "at", "anonymous_id", "outcome", "path_json")
ACCEPTED = "accepted"
_COUNTERS = ("bad_lines", "rejected", "statuses")


@dataclass
class Summary:
    """Counts of one replay. `seconds` run from the first request to the last answer."""

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
    sign_in: list[dict[str, Any]] = field(default_factory=list)
    #: The ledger's file, beside the summary's.
    ledger: str = ""

    def write(self, path: Path) -> None:
        """Write the summary as JSON."""
        path.write_text(json.dumps(vars(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Summary":
        """Read what `write` wrote. Raises CommandError where there is none."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            for name in _COUNTERS:
                document[name] = Counter(document[name])
            return cls(**document)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CommandError(f"{path.name} is no summary of a replay.") from error


class Ledger:
    """Counts deliveries and writes a row per event; safe to call from several threads."""

    def __init__(self, file: Any, summary: Summary) -> None:
        self._rows = csv.writer(file)
        self._rows.writerow(COLUMNS)
        self._summary = summary
        self._lock = Lock()

    def record(self, batch: Batch, delivery: Delivery) -> None:
        """Write down what became of every event of the batch."""
        with self._lock:
            summary = self._summary
            tries = len(delivery.statuses) + delivery.lost_connections
            summary.batches += 1
            summary.requests += tries
            summary.retried += tries - 1
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
    """Open the ledger that belongs to the summary at `path`, in the same folder."""
    rows = path.with_suffix(".ledger.csv")
    summary.ledger = rows.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = rows.open("w", encoding="ascii", newline="")
    except OSError as error:
        raise CommandError(f"The replay cannot write {rows}: {error.strerror}.") from error
    with file:
        yield Ledger(file, summary)
