"""Rosters: CSV files with one student per row, and the reports on their import.

Pure functions. They reject only files whose every row would be wrong, and they normalize the
differences between spreadsheet programs. The account workflow validates the single rows.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepfunctions.errors import RosterError

REQUIRED_COLUMNS: Final = ("email", "name")
COLUMNS: Final = (*REQUIRED_COLUMNS, "dateOfBirth", "programme", "locale")
#: Spreadsheet programs choose the delimiter by the locale.
DELIMITERS: Final = (",", ";", "\t")
#: SES needs some hours for this number at its initial quota. The result of the Map state also stays
#: far below the payload limit of 256 KiB.
MAX_ROWS: Final = 50_000
MAX_BYTES: Final = 20 * 1024 * 1024
REPORT_COLUMNS: Final = ("row", "status", "code", "field", "message")
#: The first student's row number in a spreadsheet: the header is row 1.
FIRST_ROW: Final = 2
#: (code, field, message) of a row whose request has no reasons, by status.
DEFAULT_REASONS: Final = {
    "failed": ("not_taken", "", "This row couldn't be processed. Upload the file again."),
    "pending": ("pending", "", "This row is still being processed."),
}


@dataclass(frozen=True, slots=True)
class Roster:
    """A valid roster.

    `file_id` is the SHA-256 of the uploaded content. `text` is the normalized CSV that the state
    machine reads: UTF-8 without a byte order mark, commas, known columns, repeated backslashes, and
    no trailing empty rows.
    """

    file_id: str
    rows: int
    text: str


def parse(content: bytes) -> Roster:
    """Validate and normalize a file.

    Raises:
        RosterError: The file breaks a rule, which the message names without quoting the file.
    """
    if len(content) > MAX_BYTES:
        raise RosterError(f"The file is larger than {MAX_BYTES // 1024 // 1024} MB.")
    table = _table(_text(content))
    if not table:
        raise RosterError("The file is empty.")
    columns = _columns(table[0])
    rows = table[1:]
    # Spreadsheets leave empty rows at the end. An empty row in the middle stays, because removing
    # it would shift the row numbers in the report.
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise RosterError("The file contains no students.")
    if len(rows) > MAX_ROWS:
        raise RosterError(f"The file has more than {MAX_ROWS} rows.")
    # A row with too many cells is ambiguous: clear it, so that the workflow rejects it.
    unambiguous = [row if len(row) <= len(columns) else [] for row in rows]
    # "How Step Functions parses input CSV files": "A backslash followed by any other character is
    # silently removed. You can preserve backslashes by repeating them."
    padded = [
        [cell.replace("\\", "\\\\") for cell in (*row, *[""] * (len(columns) - len(row)))]
        for row in unambiguous
    ]
    return Roster(hashlib.sha256(content).hexdigest(), len(rows), _csv([columns, *padded]))


def _text(content: bytes) -> str:
    try:
        # Excel's "CSV UTF-8" begins with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RosterError("The file isn't encoded in UTF-8. Save it as “CSV UTF-8”.") from None
    if "\0" in text:
        raise RosterError("The file isn't a text file. Save it as “CSV UTF-8”.")
    return text


def _table(text: str) -> list[list[str]]:
    line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=line.count)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        return list(rows)
    except csv.Error:
        raise RosterError("The file isn't valid CSV: a quote is misplaced or unclosed.") from None


def _columns(header: list[str]) -> list[str]:
    spellings = {name.casefold(): name for name in COLUMNS}
    columns = [spellings.get(cell.strip().casefold(), "") for cell in header]
    if (
        len(set(columns)) != len(columns)
        or "" in columns
        or not set(REQUIRED_COLUMNS) <= set(columns)
    ):
        required, optional = (
            ", ".join(names) for names in (REQUIRED_COLUMNS, COLUMNS[len(REQUIRED_COLUMNS) :])
        )
        raise RosterError(
            f"The first row must contain the columns {required}. Optional columns: {optional}."
        )
    return columns


def request_id(file_id: str, index: int) -> str:
    """Return the request id of a row: a UUID of version 8 (RFC 9562) from the file and the index.

    import.asl.yaml computes the same id; a test compares the two.
    """
    digest = hashlib.sha256(f"roster/{file_id}/{index}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def report(rows: int, file_id: str, outcomes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the report as CSV, with one line for each row and for each further reason.

    Rows have their spreadsheet numbers. The report repeats no cell of the roster: no personal data
    and no formula that a spreadsheet program would run.
    """
    lines: list[list[object]] = [[*REPORT_COLUMNS]]
    for index in range(rows):
        outcome = outcomes.get(request_id(file_id, index))
        status = "failed" if outcome is None else str(outcome["status"])
        reasons = [
            (reason.get("code", ""), reason.get("field", ""), reason.get("message", ""))
            for reason in (outcome["reasons"] if outcome else [])
        ] or [DEFAULT_REASONS.get(status, ("", "", ""))]
        lines.extend([index + FIRST_ROW, status, *reason] for reason in reasons)
    return _csv(lines)


def rejection_report(reason: RosterError) -> str:
    """Return the report on a file that isn't a valid roster."""
    return _csv([REPORT_COLUMNS, ("", "refused", "file", "", str(reason))])


def count(statuses: Iterable[str]) -> dict[str, int]:
    """Return the number of requests by status, zeros included."""
    totals = {"created": 0, "rejected": 0, "failed": 0, "pending": 0}
    for status in statuses:
        totals[status] += 1
    return totals


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
