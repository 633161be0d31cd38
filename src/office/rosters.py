"""Rosters in the office: the upload, the progress of its import, and its report. Pure."""

import base64
import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from office.errors import RosterInvalidError, UnknownRosterError
from office.office_table import time_text
from stepfunctions import roster

#: A list's name: a part of the object's key and of the API's path.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
#: One page of the list.
PAGE: Final = 25
#: Lines of the report in a response, which Lambda limits to 6 MB.
MAX_LINES: Final = 500
#: DynamoDB, "BatchGetItem": at most 100 items.
SAMPLE: Final = 100
#: A request with one of these is not decided yet.
OPEN: Final = frozenset({"pending", ""})


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded roster. `file_id` is "" if it wasn't uploaded by the office's page."""

    name: str
    at_ms: int
    file_id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report of the import, as CSV, and when it was written."""

    at_ms: int
    text: str


class Storage(Protocol):
    """The bucket of the rosters, and the requests of their rows."""

    def put(self, name: str, content: bytes, file_id: str, by: str) -> None:
        """Store an upload, which starts its import."""

    def uploads(self) -> list[Upload]:
        """Return the uploads, in any order."""

    def upload(self, name: str) -> Upload | None:
        """Return one."""

    def rows(self, file_id: str) -> int:
        """Return the number of rows that the import has read; 0 before."""

    def report(self, name: str) -> Report | None:
        """Return the newest report of a name."""

    def statuses(self, request_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the statuses of at most SAMPLE requests, without those that don't exist."""


class Rosters:
    """The office's operations on rosters."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def upload(self, name: str, content: str, by: str) -> dict[str, Any]:
        """Store a roster in Base64, which starts its import; `by` is the caller's `sub`.

        The importer checks the file: the report says what is wrong with it.

        Raises:
            RosterInvalidError: The content isn't Base64.
            UnknownRosterError: The name isn't one.
            UnavailableError: A service failed.
        """
        _check(name)
        try:
            file = base64.b64decode(content, validate=True)
        except ValueError:
            raise RosterInvalidError("The content isn't a file in Base64.") from None
        self._storage.put(name, file, hashlib.sha256(file).hexdigest(), by)
        return self.read(name)

    def list(self) -> dict[str, Any]:
        """Return the newest rosters.

        Raises:
            UnavailableError: S3 failed.
        """
        named = [it for it in self._storage.uploads() if NAME.fullmatch(it.name)]
        newest = sorted(named, key=lambda it: (-it.at_ms, it.name))
        return {
            "rosters": [
                {"name": it.name, "uploadedAt": time_text(it.at_ms)} for it in newest[:PAGE]
            ],
            "more": len(newest) > PAGE,
        }

    def read(self, name: str) -> dict[str, Any]:
        """Return the progress of a roster's import, or the report.

        Raises:
            UnknownRosterError: No roster has this name.
            UnavailableError: A service failed.
        """
        _check(name)
        upload = self._storage.upload(name)
        if upload is None:
            raise UnknownRosterError("No roster has this name.")
        document: dict[str, Any] = {
            "name": name,
            "uploadedAt": time_text(upload.at_ms),
            "state": "reading",
            "rows": 0,
            "decided": 0,
            "counts": {},
            "message": "",
            "lines": [],
            "more": 0,
        }
        report = self._storage.report(name)
        # An earlier list of this name had its own report.
        if report is not None and report.at_ms >= upload.at_ms:
            return document | _reported(report.text)
        rows = self._storage.rows(upload.file_id) if upload.file_id else 0
        if rows == 0:
            return document
        decided = self._decided(upload.file_id, rows)
        return document | {"state": "importing", "rows": rows, "decided": decided}

    def _decided(self, file_id: str, rows: int) -> int:
        """Estimate the number of decided rows from evenly spaced ones; exact up to SAMPLE rows."""
        number = min(rows, SAMPLE)
        ids = [roster.request_id(file_id, index * rows // number) for index in range(number)]
        statuses = self._storage.statuses(ids)
        return sum(statuses.get(it, "") not in OPEN for it in ids) * rows // number


def _check(name: str) -> None:
    # API Gateway doesn't check a path parameter's pattern.
    if not NAME.fullmatch(name):
        raise UnknownRosterError("No roster has this name.")


def _reported(text: str) -> dict[str, Any]:
    """Return the fields of a report: the rows by status, and the lines without a new account."""
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    if [it["status"] for it in lines] == ["refused"]:
        return {"state": "refused", "message": lines[0]["message"]}
    # A row with several reasons has several lines; students who left the list have no row.
    status_of = {it["row"]: it["status"] for it in lines if it["row"]}
    counts = Counter(status_of.values())
    counts.update(it["status"] for it in lines if not it["row"])
    told = [it for it in lines if it["status"] != "created"]
    names = ("row", "status", "field", "message")
    return {
        "state": "done",
        "rows": len(status_of),
        "decided": len(status_of) - counts["pending"],
        "counts": dict(counts),
        "lines": [{name: it[name] for name in names} for it in told[:MAX_LINES]],
        "more": max(0, len(told) - MAX_LINES),
    }
