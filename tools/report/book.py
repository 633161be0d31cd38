"""The second count: what the replay's ledger says, counted without SQL."""

import csv
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.replay.ledger import ACCEPTED


@dataclass
class Book:
    """Accepted events of the ledger, each message id once: by path and by hour of the day."""

    accepted: set[str] = field(default_factory=set)
    paths: Counter[str] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)


def read(path: Path) -> Book:
    """Count a ledger. Raises CommandError where there is none."""
    book = Book()
    try:
        with path.open(encoding="ascii", newline="") as file:
            for row in csv.DictReader(file):
                if row["outcome"] != ACCEPTED or row["message_id"] in book.accepted:
                    continue
                book.accepted.add(row["message_id"])
                book.paths[json.loads(row["path_json"])] += 1
                # ISO 8601: the hour stands between T and the first colon.
                book.hours[int(row["at"].partition("T")[2][:2])] += 1
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"{path.name} is no ledger of a replay.") from error
    return book
