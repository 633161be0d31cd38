"""A roster: students in a CSV file, one request for an account per row.

Pure rules of the file. A row's own faults are the account workflow's to find: here is judged only
what would make every row wrong.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stepfunctions.errors import RosterError

NEEDED = frozenset({"email", "name"})
OPTIONAL = frozenset({"dateOfBirth", "programme", "locale"})
#: Some hours of SES at its first limits; also far within what a Map state may answer (256 KiB).
MOST_ROWS = 50_000
MOST_BYTES = 20 * 1024 * 1024
REPORT_COLUMNS = ("row", "status", "code", "field", "message")


@dataclass(frozen=True, slots=True)
class Roster:
    """A file that can be imported. `file_id` is its content's: the same file is the same roster."""

    file_id: str
    rows: int


def inspect(content: bytes) -> Roster:
    """Judge a file. Raises RosterError with the rule that it breaks, never with what it says."""
    if len(content) > MOST_BYTES:
        raise RosterError(f"The file has more than {MOST_BYTES // 1024 // 1024} MB.")
    if content.startswith(b"\xef\xbb\xbf"):
        raise RosterError("The file begins with a byte order mark: save it as UTF-8 without one.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise RosterError("The file is not UTF-8.") from None
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        raise RosterError("The file is no CSV: a quote does not close where it should.") from None
    if not rows:
        raise RosterError("The file is empty.")
    header = rows[0]
    if len(set(header)) != len(header) or not NEEDED <= set(header) <= NEEDED | OPTIONAL:
        needed, optional = ", ".join(sorted(NEEDED)), ", ".join(sorted(OPTIONAL))
        raise RosterError(f"The first row names the columns: {needed}, and perhaps {optional}.")
    if not all(rows[1:]):
        raise RosterError("The file has an empty line between its rows.")
    if len(rows) - 1 > MOST_ROWS:
        raise RosterError(f"The file has more than {MOST_ROWS} rows.")
    return Roster(hashlib.sha256(content).hexdigest(), len(rows) - 1)


def request_id(file_id: str, index: int) -> str:
    """Return the id of a row's request, the same for the same file: a UUID of version 8 (RFC 9562).

    import.asl.yaml makes the same text of the same two; a test compares them.
    """
    digest = hashlib.sha256(f"roster/{file_id}/{index}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def report(rows: int, file_id: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the report as CSV: a line for each row, and for each reason where there are more.

    A row is named by its number, the first after the header being 1: no student is in it.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(REPORT_COLUMNS)
    for index in range(rows):
        outcome = found.get(request_id(file_id, index))
        status = "failed" if outcome is None else outcome["status"]
        reasons = [] if outcome is None else outcome["reasons"]
        for reason in reasons or [{}]:
            given = [reason.get(name, "") for name in ("code", "field", "message")]
            writer.writerow([index + 1, status, *given])
    return text.getvalue()


def count(statuses: Iterable[str]) -> dict[str, int]:
    """Return how often each outcome is there."""
    totals = {"created": 0, "rejected": 0, "failed": 0, "pending": 0}
    for status in statuses:
        totals[status] += 1
    return totals
