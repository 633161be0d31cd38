"""The suppressed persons, as the collector's snapshot in the portal's bucket has them.

A process reads the snapshot at most once a minute, from the bucket of its Region: a further Region
has a copy. The function's role, not the signature, proves where it comes from. The key of the
fingerprints is a parameter in us-east-1, read with the first list that isn't empty.
"""

import time
from collections.abc import Callable
from typing import Final

import telemetry
from signed_snapshot.document import read_document
from signed_snapshot.persons import Persons
from stream_processor.errors import MissingObjectError, StorageError
from stream_processor.settings import Settings
from stream_processor.storage.s3 import Bucket

KEY: Final = "public/snapshots/sources"
#: As old as the collector's (EFFECTIVE_WITHIN_S of signed_snapshot.changes).
MAX_AGE_S: Final = 55
#: Ids that are remembered: some 100 bytes each.
_MAX_KNOWN: Final = 100_000


class Suppression:
    """The newest list that this process has read."""

    def __init__(
        self,
        bucket: Bucket,
        read_key: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`read_key` returns the secret of the fingerprints, or raises StorageError."""
        self._bucket = bucket
        self._read_key = read_key
        self._clock = clock
        self._data: bytes | None = None
        self._persons: Persons | None = None
        self._tried_at = -MAX_AGE_S * 1.0

    @classmethod
    def of(cls, settings: Settings) -> "Suppression | None":
        """Return the list of a stage; None if the environment names no bucket."""
        if not settings.snapshot_bucket:
            return None
        name = f"/meridian/{settings.stage}/suppression-key"
        return cls(Bucket(settings.snapshot_bucket), lambda: _key(name))

    def persons(self) -> Persons | None:
        """Return the suppressed persons; None without any.

        If the snapshot can't be read, the last one counts. Without the key, no person is
        suppressed: it is in another Region, whose loss mustn't stop the lake of this one.

        Raises:
            StorageError: This process has never read the snapshot.
        """
        now = self._clock()
        # A negative age: the clock was set back.
        if not 0 <= now - self._tried_at < MAX_AGE_S:
            self._update()
            self._tried_at = now
        return self._persons

    def _update(self) -> None:
        try:
            data = self._read()
            fingerprints = _fingerprints(data)
        except StorageError as error:
            if self._data is None:
                raise
            _report(error)
            return
        if data == self._data:
            return
        try:
            key = self._read_key() if fingerprints else ""
        except StorageError as error:
            _report(error)
            return
        self._persons = Persons(key, fingerprints, _MAX_KNOWN) if fingerprints else None
        self._data = data

    def _read(self) -> bytes:
        try:
            return self._bucket.read(KEY)
        except MissingObjectError:
            # No person was suppressed yet. A deletion doesn't undo a list that was read.
            return self._data or b""


def _report(error: StorageError) -> None:
    telemetry.error("list of suppressed persons unread", error=str(error))
    telemetry.count("SuppressionUnread", 1)


def _fingerprints(data: bytes) -> list[str]:
    """Return the fingerprints in a snapshot.

    Raises:
        StorageError: The object isn't a snapshot.
    """
    if not data:
        return []
    try:
        content = read_document(data)["content"]
        return [str(it) for it in content.get("suppressed", [])]
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise StorageError(
            f"{KEY} isn't a snapshot: {error!r}. Restore an earlier version of the object."
        ) from error


def _key(name: str) -> str:
    """Return the secret of the fingerprints.

    Raises:
        StorageError: The parameter can't be read.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    config = Config(connect_timeout=2, read_timeout=3, retries={"max_attempts": 1})
    try:
        ssm = boto3.client("ssm", region_name="us-east-1", config=config)
        value = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except (ClientError, BotoCoreError, HTTPClientError) as error:
        raise StorageError(
            f"Can't read the parameter {name} in us-east-1: {error}. Check ssm:GetParameter."
        ) from error
    # "<generation>:<secret>" (edge_settings.aws_clients).
    return str(value).partition(":")[2]
