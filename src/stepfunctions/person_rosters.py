"""The rosters with a student: uploads and their normalized copies, for an erasure.

A list is deleted as a whole: a changed upload would start another import. Its report stays, because
it repeats no cell. A list whose import isn't over is left for a later call.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final

from stepfunctions import aws, roster
from stepfunctions.errors import RosterError

_UPLOADS: Final = "rosters/"
#: The import of the largest list takes less, and a list without a report then has failed.
MAX_IMPORT: Final = timedelta(hours=6)
_ENCODINGS: Final = ("utf-8", "utf-16", "latin-1")


class PersonRosters:
    """The rosters bucket."""

    def __init__(self, bucket: str, s3: Any) -> None:
        self._bucket = bucket
        self._s3 = s3

    def erase(self, email: str, now: datetime) -> tuple[int, int]:
        """Delete the lists with an address; return how many, and how many are being imported.

        Raises:
            TransientError: S3 failed temporarily.
            PermanentError: S3 rejected the request.
        """
        deleted = importing = 0
        for key, at in self._objects(_UPLOADS):
            content = self._content(key)
            if content is None or not _names(content, email):
                continue
            if not self._is_imported(key, at, now):
                importing += 1
                continue
            self._delete(key)
            deleted += 1
        if importing:
            return deleted, importing
        # Copies have the name of their content: the import of a list that stays doesn't read these.
        for key, _ in self._objects(roster.copy_key("").partition("/")[0] + "/"):
            content = self._content(key)
            if content is not None and _names(content, email):
                self._delete(key)
                deleted += 1
        return deleted, 0

    def _is_imported(self, key: str, at: datetime, now: datetime) -> bool:
        reports = self._objects(roster.report_key(key))
        return now - at > MAX_IMPORT or any(written >= at for _, written in reports)

    def _objects(self, prefix: str) -> list[tuple[str, datetime]]:
        query: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix}
        listed: list[tuple[str, datetime]] = []
        with aws.translate_errors("S3"):
            while True:
                page = self._s3.list_objects_v2(**query)
                listed += [(it["Key"], it["LastModified"]) for it in page.get("Contents", [])]
                if not page.get("IsTruncated"):
                    return listed
                query["ContinuationToken"] = page["NextContinuationToken"]

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
