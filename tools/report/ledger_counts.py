"""Count the replay's ledger without SQL, to check the report's queries."""

import csv
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.replay.ledger import ACCEPTED


@dataclass
class LedgerCounts:
    """Accepted events of the ledger, once per message id, by path and by hour of day (UTC)."""

    accepted: set[str] = field(default_factory=set)
    paths: Counter[str] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)


def count_ledger(path: Path) -> LedgerCounts:
    """Count a ledger.

    Raises:
        CommandError: The file is missing or invalid.
    """
    counts = LedgerCounts()
    try:
        with path.open(encoding="ascii", newline="") as file:
            for row in csv.DictReader(file):
                if row["outcome"] != ACCEPTED or row["message_id"] in counts.accepted:
                    continue
                counts.accepted.add(row["message_id"])
                counts.paths[json.loads(row["path_json"])] += 1
                # ISO 8601: the hour is between T and the first colon.
                counts.hours[int(row["at"].partition("T")[2][:2])] += 1
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(
            f"Can't read {path}: not the ledger of a replay. Run the replay again."
        ) from error
    return counts
