"""Rosters: CSV files with one student per row, and the reports on their import.

Pure functions. They reject only files whose every row would be wrong, and they normalize the
differences between spreadsheet programs. The account workflow validates the single rows.
"""

import codecs
import csv
import hashlib
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepfunctions import email_address
from stepfunctions.errors import RosterError

REQUIRED_COLUMNS: Final = ("email", "name")
COLUMNS: Final = (*REQUIRED_COLUMNS, "dateOfBirth", "programme", "locale")
#: Column titles that spreadsheets use, in the portal's languages: in lower case, without spaces and
#: punctuation.
ALIASES: Final = {
    "email": (
        *("email", "emailaddress", "mail", "ईमेल", "ईमेलपता"),
        *("địachỉemail", "thưđiệntử"),
    ),
    "name": (
        *("name", "fullname", "student", "studentname", "नाम", "पूरानाम", "छात्र", "छात्रकानाम"),
        *("tên", "họtên", "họvàtên", "họcviên", "họcsinh", "sinhviên"),
    ),
    "dateOfBirth": (
        *("dateofbirth", "birthdate", "birthday", "dob", "जन्मतिथि", "जन्मदिन"),
        *("ngàysinh", "ngàythángnămsinh"),
    ),
    "programme": (
        *("programme", "program", "course", "कार्यक्रम", "पाठ्यक्रम", "कोर्स"),
        *("chươngtrình", "khóahọc"),
    ),
    "locale": ("locale", "language", "भाषा", "ngônngữ"),
}
#: Spreadsheet programs choose the delimiter by the locale.
DELIMITERS: Final = (",", ";", "\t")
#: SES needs some hours for this number at its initial quota. The result of the Map state also stays
#: far below the payload limit of 256 KiB.
MAX_ROWS: Final = 50_000
MAX_BYTES: Final = 20 * 1024 * 1024
#: The account workflow rejects each field that is longer. Step Functions limits an item to 256 KiB.
MAX_CELL_CHARS: Final = 1_000
#: Invisible characters that copied cells have around their text, besides white space.
INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff"
#: Metadata of a normalized copy: its number of rows, for the office's page.
ROWS: Final = "rows"
#: Columns that a message names.
MAX_NAMED_COLUMNS: Final = 30
REPORT_COLUMNS: Final = ("row", "status", "code", "field", "message")
#: The first student's row number in a spreadsheet: the header is row 1.
FIRST_ROW: Final = 2
REPORT_SUFFIX: Final = ".report.csv"
#: (code, field, message) of a row whose request has no reasons, by status.
DEFAULT_REASONS: Final = {
    "failed": ("not_taken", "", "This row couldn't be processed. Upload the file again."),
    "pending": ("pending", "", "This row is still being processed."),
    "updated": (
        "updated",
        "",
        "This address already had an account. The import changed its data to that of this row.",
    ),
}
#: (code, field, message) of a row whose only fault is that its address has an account.
EXISTS: Final = (
    "exists",
    "email",
    "This address already has an account. The import didn't change it.",
)


#: (code, field, message) of a row that the normalized copy has without its cells, by its fault.
FAULTS: Final = {
    "cells": (
        "cells",
        "",
        (
            "This row has more cells than the first row, so it was left out. Put double quotes "
            "around a cell with a comma or semicolon, or delete the surplus cells."
        ),
    ),
    "repeated": (
        "repeated",
        "email",
        (
            "Row {} has the same email address, so this row was left out. Each student needs an "
            "email address of their own."
        ),
    ),
}
#: Message about a student who is in the previous list only.
LEFT: Final = (
    "The address in row {} of the previous list with this name isn't in this list. An account with "
    "this address stays unchanged."
)


@dataclass(frozen=True, slots=True)
class Roster:
    """A valid roster.

    `file_id` is the SHA-256 of the uploaded content. `text` is the normalized copy that the state
    machine reads: one JSON object per row, in ASCII, without empty cells and trailing empty rows. A
    row that isn't imported has its fault instead of its cells, and the workflow rejects it. JSON
    has no characters that Step Functions reads differently, unlike CSV with its backslashes.
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
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise RosterError("The file contains no students.")
    if len(rows) > MAX_ROWS:
        raise RosterError(f"The file has more than {MAX_ROWS} rows.")
    text = "".join(f"{json.dumps(it)}\n" for it in _normalized(columns, rows))
    return Roster(hashlib.sha256(content).hexdigest(), len(rows), text)


def _normalized(columns: list[str], rows: list[list[str]]) -> Iterator[Mapping[str, object]]:
    """Yield the cells of each row by column, or the row's fault.

    A row with too many cells is ambiguous. Two rows with one address would be imported at the same
    time, and the student would have the data of either.
    """
    first_rows: dict[str, int] = {}
    for number, row in enumerate(rows, FIRST_ROW):
        if len(row) > len(columns):
            yield {"fault": "cells"}
            continue
        cells = {it: cell[:MAX_CELL_CHARS] for it, cell in zip(columns, row, strict=False) if cell}
        address = email_address.normalize(cells.get("email", ""))
        first_row = number if address is None else first_rows.setdefault(address, number)
        yield cells if first_row == number else {"fault": "repeated", "row": first_row}


def _text(content: bytes) -> str:
    # Excel saves "Unicode Text" in UTF-16, and its "CSV UTF-8" begins with a byte order mark.
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RosterError(
            f"Line {line} of the file isn't encoded in UTF-8. Save the file as “CSV UTF-8”."
        ) from None
    if "\0" in text:
        raise RosterError("The file isn't a text file. Save it as “CSV UTF-8”.")
    return text


def _table(text: str) -> list[list[str]]:
    """Return the rows, with each cell stripped, and without empty ones at the end.

    The header is the first row.

    Raises:
        RosterError: The text isn't valid CSV; the message names the row.
    """
    first, _, rest = text.partition("\n")
    delimiter = max(DELIMITERS, key=first.count)
    # Excel reads the delimiter from a first line such as "sep=;", and doesn't show the line.
    directive = first.strip().casefold().removeprefix("sep=")
    if directive != first.strip().casefold() and len(directive) <= 1:
        text, delimiter = rest, directive or "\t"
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        rows.extend(_without_empty_end([_stripped(cell) for cell in row]) for row in reader)
    except csv.Error:
        raise RosterError(
            f"The file isn't valid CSV: row {len(rows) + 1} has a misplaced or unclosed quote, or "
            f"a cell of more than {csv.field_size_limit():,} characters."
        ) from None
    return rows


def _stripped(cell: str) -> str:
    """Return a cell without white space and invisible characters around its text."""
    while (shorter := cell.strip().strip(INVISIBLE)) != cell:
        cell = shorter
    return cell


def _without_empty_end(row: list[str]) -> list[str]:
    """Return a row without the empty cells at its end, which cleared columns leave."""
    while row and not row[-1]:
        row.pop()
    return row


def _columns(header: list[str]) -> list[str]:
    """Return the name of each column.

    Raises:
        RosterError: A column is missing, unknown or there twice. The message has the names of a
            spreadsheet and not the titles, which are a student's data if the first row is missing.
    """
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    columns = [known.get(_title(it), "") for it in header]
    if problem := _problem(columns):
        required, optional = (
            ", ".join(names) for names in (REQUIRED_COLUMNS, COLUMNS[len(REQUIRED_COLUMNS) :])
        )
        raise RosterError(
            f"{problem} The first row must contain the columns {required}. "
            f"Optional columns: {optional}."
        )
    return columns


def _problem(columns: list[str]) -> str:
    """Return what is wrong with the columns, or an empty string. An unknown one has no name."""
    for name in COLUMNS:
        same = [number for number, it in enumerate(columns) if it == name]
        if not same and name in REQUIRED_COLUMNS:
            return f"Column {name} is missing."
        if len(same) > 1:
            return f"Columns {_column_names(same)} are both {name}."
    unknown = [number for number, it in enumerate(columns) if not it]
    if not unknown:
        return ""
    subject = "Columns {} have" if len(unknown) > 1 else "Column {} has"
    return f"{subject.format(_column_names(unknown))} another title. Delete other columns."


def _title(cell: str) -> str:
    """Return a title in lower case, without spaces, digits and punctuation."""
    text = unicodedata.normalize("NFC", cell.casefold())
    return "".join(it for it in text if it.isalpha() or unicodedata.category(it)[0] == "M")


def _column_names(numbers: list[int]) -> str:
    """Return the names of columns in a spreadsheet: A to Z, AA to AZ and so on."""
    names = []
    for number in numbers[:MAX_NAMED_COLUMNS]:
        name, rest = "", number
        while rest >= 0:
            name, rest = chr(ord("A") + rest % 26) + name, rest // 26 - 1
        names.append(name)
    return ", ".join(names) + (" and others" if len(numbers) > len(names) else "")


def request_id(file_id: str, index: int) -> str:
    """Return the request id of a row: a UUID of version 8 (RFC 9562) from the file and the index.

    import.asl.yaml computes the same id; a test compares the two.
    """
    digest = hashlib.sha256(f"roster/{file_id}/{index}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def copy_key(file_id: str) -> str:
    """Return the key of a file's normalized copy."""
    return f"read/{file_id}.jsonl"


def report_key(key: str) -> str:
    """Return the report's key: "rosters/a.csv" has the report "reports/a.csv".

    Other names get ".report.csv" appended, so that no two uploads have the same report.
    """
    name = key.removeprefix("rosters/")
    keeps = name.endswith(".csv") and not name.endswith(REPORT_SUFFIX)
    return f"reports/{name if keeps else name + REPORT_SUFFIX}"


def left(previous: str, text: str) -> list[int]:
    """Return the spreadsheet rows of a previous list whose students aren't in `text`.

    Both arguments are normalized copies. Rows without a valid address don't count.
    """
    listed = set(addresses(text))
    rows = enumerate(addresses(previous), FIRST_ROW)
    return [row for row, address in rows if address is not None and address not in listed]


def addresses(text: str) -> list[str | None]:
    """Return the address of each row of a normalized copy, None without a valid one.

    Raises:
        ValueError: The text isn't a normalized copy.
    """
    rows = [json.loads(line) for line in text.splitlines()]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("A normalized copy has an object in each line.")
    return [email_address.normalize(str(row.get("email", ""))) for row in rows]


def faults(text: str) -> dict[int, tuple[str, str, str]]:
    """Return (code, field, message) of the rows of a copy that have a fault, by index."""
    rows = enumerate(json.loads(line) for line in text.splitlines())
    named = {index: (row, FAULTS[row["fault"]]) for index, row in rows if "fault" in row}
    return {
        index: (code, field, message.format(row.get("row")))
        for index, (row, (code, field, message)) in named.items()
    }


def report(
    rows: int,
    file_id: str,
    outcomes: Mapping[str, Mapping[str, Any]],
    text: str = "",
    left_rows: Iterable[int] = (),
) -> str:
    """Return the report as CSV, with one line for each row and for each further reason.

    Rows have their spreadsheet numbers. `text` is the normalized copy. `left_rows` are rows of the
    previous list with this name that have left it. The report repeats no cell of the roster: no
    personal data and no formula that a spreadsheet program would run.
    """
    lines: list[list[object]] = [[*REPORT_COLUMNS]]
    row_faults = faults(text)
    for index in range(rows):
        outcome = outcomes.get(request_id(file_id, index))
        status = row_status(outcome)
        reasons = [
            (reason.get("code", ""), reason.get("field", ""), reason.get("message", ""))
            for reason in (outcome["reasons"] if outcome else [])
        ] or [DEFAULT_REASONS.get(status, ("", "", ""))]
        if status == "exists":
            reasons = [EXISTS]
        if index in row_faults and status == "rejected":
            reasons = [row_faults[index]]
        lines.extend([index + FIRST_ROW, status, *reason] for reason in reasons)
    lines.extend(["", "left", "left", "email", LEFT.format(row)] for row in left_rows)
    return _csv(lines)


def row_status(outcome: Mapping[str, Any] | None) -> str:
    """Return a row's status in the report: created, exists, updated, rejected, failed or pending.

    A row exists if the workflow rejected it only because its address has an account: the office
    uploads the whole list again after it has corrected a row. `outcome` is the request's item, or
    None without one.
    """
    if outcome is None:
        return "failed"
    codes = {reason.get("code") for reason in outcome["reasons"]}
    if outcome["status"] == "rejected" and codes == {"taken"}:
        return "exists"
    return str(outcome["status"])


def rejection_report(reason: RosterError) -> str:
    """Return the report on a file that isn't a valid roster."""
    return _csv([REPORT_COLUMNS, ("", "refused", "file", "", str(reason))])


def count(statuses: Iterable[str]) -> dict[str, int]:
    """Return the number of rows by status, zeros included."""
    names = ("created", "exists", "updated", "rejected", "failed", "pending", "left")
    totals = dict.fromkeys(names, 0)
    for status in statuses:
        totals[status] += 1
    return totals


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
