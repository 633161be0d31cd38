"""A roster: students in a CSV file, one request for an account per row.

Pure rules of the file. A row's own faults are the account workflow's to find: here is judged only
what would make every row wrong, and what people's spreadsheets do to a file is undone.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stepfunctions.errors import RosterError

NEEDED = ("email", "name")
COLUMNS = (*NEEDED, "dateOfBirth", "programme", "locale")
#: What a spreadsheet writes between two cells, by its country.
DELIMITERS = (",", ";", "\t")
#: Some hours of SES at its first limits; also far within what a Map state may answer (256 KiB).
MOST_ROWS = 50_000
MOST_BYTES = 20 * 1024 * 1024
REPORT_COLUMNS = ("row", "status", "code", "field", "message")
#: The first row of students as a spreadsheet counts: the header is row 1.
FIRST_ROW = 2
#: What has no reason of its own.
TOLD = {
    "failed": ("not_taken", "", "This row could not be taken; put the file into the bucket again."),
    "pending": ("pending", "", "This row is not decided yet."),
}


@dataclass(frozen=True, slots=True)
class Roster:
    """A file that can be imported.

    `file_id` is its content's: the same file is the same roster. `text` is what is read row by
    row: UTF-8 without a byte order mark, commas, known columns, no line without a cell.
    """

    file_id: str
    rows: int
    text: str


def inspect(content: bytes) -> Roster:
    """Judge a file. Raises RosterError with the rule that it breaks, never with what it says."""
    if len(content) > MOST_BYTES:
        raise RosterError(f"The file has more than {MOST_BYTES // 1024 // 1024} MB.")
    table = _table(_text(content))
    if not table:
        raise RosterError("The file is empty.")
    columns = _columns(table[0])
    rows = table[1:]
    # A spreadsheet leaves empty lines at the end. One between two rows is a row without a student:
    # leaving it out would give every row after it another number than the spreadsheet does.
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise RosterError("The file names no student.")
    if len(rows) > MOST_ROWS:
        raise RosterError(f"The file has more than {MOST_ROWS} rows.")
    # More cells than columns: nobody knows which of them is the name, so none of them is.
    plain = [row if len(row) <= len(columns) else [] for row in rows]
    padded = [[*row, *[""] * (len(columns) - len(row))] for row in plain]
    return Roster(hashlib.sha256(content).hexdigest(), len(rows), _csv([columns, *padded]))


def _text(content: bytes) -> str:
    try:
        # Excel's "CSV UTF-8" begins with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RosterError("The file is not UTF-8: save it as “CSV UTF-8”.") from None
    if "\0" in text:
        raise RosterError("The file is no text: save it as “CSV UTF-8”.")
    return text


def _table(text: str) -> list[list[str]]:
    line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=line.count)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        return list(rows)
    except csv.Error:
        raise RosterError("The file is no CSV: a quote does not close where it should.") from None


def _columns(header: list[str]) -> list[str]:
    known = {name.casefold(): name for name in COLUMNS}
    found = [known.get(cell.strip().casefold(), "") for cell in header]
    if len(set(found)) != len(found) or "" in found or not set(NEEDED) <= set(found):
        needed, optional = ", ".join(NEEDED), ", ".join(COLUMNS[len(NEEDED) :])
        raise RosterError(f"The first row names the columns: {needed}, and perhaps {optional}.")
    return found


def request_id(file_id: str, index: int) -> str:
    """Return the id of a row's request, the same for the same file: a UUID of version 8 (RFC 9562).

    import.asl.yaml makes the same text of the same two; a test compares them.
    """
    digest = hashlib.sha256(f"roster/{file_id}/{index}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def report(rows: int, file_id: str, found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the report as CSV: a line for each row, and for each reason where there are more.

    A row has its spreadsheet's number. No word of the roster is in it: nobody's name, and no
    formula for a spreadsheet to run.
    """
    lines: list[list[object]] = [[*REPORT_COLUMNS]]
    for index in range(rows):
        outcome = found.get(request_id(file_id, index))
        status = "failed" if outcome is None else str(outcome["status"])
        reasons = [
            (reason.get("code", ""), reason.get("field", ""), reason.get("message", ""))
            for reason in (outcome["reasons"] if outcome else [])
        ]
        told = reasons or [TOLD.get(status, ("", "", ""))]
        lines.extend([index + FIRST_ROW, status, *reason] for reason in told)
    return _csv(lines)


def refusal(reason: RosterError) -> str:
    """Return the report of a file that is no roster."""
    return _csv([REPORT_COLUMNS, ("", "refused", "file", "", str(reason))])


def count(statuses: Iterable[str]) -> dict[str, int]:
    """Return how often each outcome is there."""
    totals = {"created": 0, "rejected": 0, "failed": 0, "pending": 0}
    for status in statuses:
        totals[status] += 1
    return totals


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
