"""The rosters with a student: uploads and their normalized copies, for an erasure, page by page.

A list is deleted as a whole: a changed upload would start another import. Its report stays, because
it repeats no cell. A list whose import isn't over is left for a later call.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from stepfunctions import aws, email_address, roster
from stepfunctions.errors import RosterError

_UPLOADS: Final = "rosters/"
_COPIES: Final = roster.copy_key("").partition("/")[0] + "/"
#: Lists that one call reads.
PAGE: Final = 25
#: The import of the largest list takes less, and a list without a report then has failed.
MAX_IMPORT: Final = timedelta(hours=6)
_ENCODINGS: Final = ("utf-8", "utf-16", "latin-1")


class Position(NamedTuple):
    """Where a page begins: the folder, and the last key that was read; "" is its beginning.

    `importing` is the number of lists of the earlier pages that are left for a later pass.
    """

    folder: str = _UPLOADS
    after: str = ""
    importing: int = 0


class Page(NamedTuple):
    """The lists that a page deleted, and the next page's position; None at the end of the pass.

    With `importing` at the end, lists are left: another pass follows later.
    """

    deleted: int
    importing: int
    following: Position | None


class PersonRosters:
    """The rosters bucket."""

    def __init__(self, bucket: str, s3: Any) -> None:
        self._bucket = bucket
        self._s3 = s3

    def erase(self, email: str, now: datetime, start: Position) -> Page:
        """Delete the lists with an address on a page; the uploads come before the copies.

        Raises:
            TransientError: S3 failed temporarily.
            PermanentError: S3 rejected the request.
        """
        deleted, importing, after = 0, start.importing, ""
        objects, more = self._page(start.folder, start.after)
        for key, at in objects:
            after = key
            content = self._content(key)
            if content is None or not _names(content, email):
                continue
            if start.folder == _UPLOADS and not self._is_imported(key, at, now):
                importing += 1
                continue
            self._delete(key)
            deleted += 1
        if more:
            return Page(deleted, importing, Position(start.folder, after, importing))
        # Copies have the name of their content: the import of a list that stays doesn't read these.
        if start.folder == _UPLOADS and not importing:
            return Page(deleted, 0, Position(_COPIES))
        return Page(deleted, importing, None)

    def rows(self, email: str, after: str) -> tuple[list[dict[str, Any]], str]:
        """Return the rows with an address on a page of the copies, and its last key, "" at the end.

        A page begins after the key `after`.

        Raises:
            TransientError: S3 failed temporarily.
            PermanentError: S3 rejected the request.
        """
        objects, more = self._page(_COPIES, after)
        rows: list[dict[str, Any]] = []
        for key, at in objects:
            content = self._content(key)
            rows += [
                {"uploadedAt": f"{at:%Y-%m-%dT%H:%M:%SZ}", **row}
                for row in (json.loads(line) for line in (content or b"").splitlines())
                if email_address.normalize(str(row.get("email", ""))) == email
            ]
        return rows, objects[-1][0] if more else ""

    def _is_imported(self, key: str, at: datetime, now: datetime) -> bool:
        reports, _ = self._page(roster.report_key(key))
        return now - at > MAX_IMPORT or any(written >= at for _, written in reports)

    def _page(self, prefix: str, after: str = "") -> tuple[list[tuple[str, datetime]], bool]:
        """Return keys with their times, and whether there are more."""
        query: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix, "MaxKeys": PAGE}
        if after:
            query["StartAfter"] = after
        with aws.translate_errors("S3"):
            page = self._s3.list_objects_v2(**query)
        listed = [(it["Key"], it["LastModified"]) for it in page.get("Contents", [])]
        return listed, bool(page.get("IsTruncated"))

    def _content(self, key: str) -> bytes | None:
        def read() -> bytes:
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return body

        return aws.ignore_error("NoSuchKey", "S3", read)

    def _delete(self, key: str) -> None:
        with aws.translate_errors("S3"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)


def _names(content: bytes, email: str) -> bool:
    """Return whether a list has an address, in any form that the import accepts."""
    # Not in a longer address, which is another one.
    pattern = re.compile(rf"(?<![\w.+-]){re.escape(email)}(?![\w-]|\.\w)", re.IGNORECASE)
    if any(pattern.search(content.decode(it, "ignore")) for it in _ENCODINGS):
        return True
    try:
        return email in roster.addresses(roster.parse(content).text)
    except RosterError:
        pass
    try:
        return email in roster.addresses(content.decode())
    except ValueError:  # neither a list nor a copy
        return False
