"""Adapter for one S3 bucket: conditional writes, reads, listings and versions.

SDK errors become `StorageError`.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stream_processor.errors import MissingObjectError, StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: S3 returns 409 to a PUT that conflicts with a concurrent PUT of the same key; the client can send
#: it again ("How to prevent object overwrites with conditional writes", Amazon S3 User Guide). The
#: attempts end after about six seconds; the other PUT takes a fraction of one.
_CONFLICT_ATTEMPTS: Final = 8
_CONFLICT_WAIT_S: Final = 0.05


@cache
def client() -> "S3Client":
    """Return the client of this process, created at its first use, with short timeouts."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=3, read_timeout=15, retries={"mode": "standard", "max_attempts": 4}
    )
    return boto3.client("s3", config=config)


class Deleted(NamedTuple):
    """A deleted key: its delete marker, and the version before it, if that still exists."""

    key: str
    marker: str
    version: str | None


class Version(NamedTuple):
    """One version of an object, or a delete marker, as a listing shows it. `etag` of the body."""

    key: str
    version: str
    is_latest: bool
    is_marker: bool
    etag: str


class ListedObject(NamedTuple):
    """An object as a listing shows it: when it was created, and the digest and size of its body."""

    created: datetime
    key: str
    etag: str
    size: int


class Bucket:
    """One bucket."""

    def __init__(
        self,
        name: str,
        s3: "S3Client | None" = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._injected = s3
        self._sleep = sleep

    @property
    def _s3(self) -> "S3Client":
        return self._injected if self._injected is not None else client()

    def create(
        self,
        key: str,
        body: bytes,
        metadata: Mapping[str, str],
        content_type: str = "application/vnd.apache.parquet",
    ) -> bool:
        """Write the object and return True; False if the key exists; its object is unchanged.

        Raises:
            StorageError: S3 failed, or other writers conflicted with every attempt.
        """
        for attempt in range(_CONFLICT_ATTEMPTS):
            if attempt:
                # Writers that conflicted once must not meet again: "full jitter" ("Exponential
                # Backoff And Jitter", AWS Architecture Blog), with at least half of the wait.
                wait = _CONFLICT_WAIT_S * 2 ** (attempt - 1)
                self._sleep(random.uniform(wait / 2, wait))  # noqa: S311 - no secret
            try:
                self._s3.put_object(
                    Bucket=self.name,
                    Key=key,
                    Body=body,
                    Metadata=metadata,
                    ContentType=content_type,
                    IfNoneMatch="*",
                )
            except _failures() as error:
                status = _status(error)
                if status == 412:
                    return False
                if status == 409:
                    continue
                raise StorageError(self._failure("write", key, error)) from error
            return True
        raise StorageError(
            f"Can't write s3://{self.name}/{key}: conflicts with other writers in "
            f"{_CONFLICT_ATTEMPTS} attempts. Try again."
        )

    def overwrite(
        self, key: str, body: bytes, metadata: Mapping[str, str], etag: str | None
    ) -> None:
        """Write an object whose newest version has this ETag; None: whose key is deleted.

        Raises:
            StorageError: S3 failed, or somebody wrote the object since.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            self._s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=body,
                Metadata=metadata,
                ContentType="application/vnd.apache.parquet",
                **condition,
            )
        except _failures() as error:
            raise StorageError(self._failure("replace", key, error)) from error

    def metadata(self, key: str, version: str | None = None) -> Mapping[str, str]:
        """Return the user metadata of an object, or of one of its versions.

        Raises:
            MissingObjectError: The object or its version doesn't exist.
            StorageError: S3 failed.
        """
        older: dict[str, Any] = {} if version is None else {"VersionId": version}
        try:
            return self._s3.head_object(Bucket=self.name, Key=key, **older)["Metadata"]
        except _failures() as error:
            raise self._read_error("read the metadata of", key, error) from error

    def read(self, key: str, version: str | None = None) -> bytes:
        """Return the body of an object, or of one of its versions.

        Raises:
            MissingObjectError: The object or its version doesn't exist.
            StorageError: S3 failed.
        """
        older: dict[str, Any] = {} if version is None else {"VersionId": version}
        try:
            return self._s3.get_object(Bucket=self.name, Key=key, **older)["Body"].read()
        except _failures() as error:
            raise self._read_error("read", key, error) from error

    def read_end(self, key: str, length: int) -> bytes:
        """Return the last bytes of an object, at most `length`.

        Raises:
            MissingObjectError: The object doesn't exist.
            StorageError: S3 failed.
        """
        try:
            response = self._s3.get_object(Bucket=self.name, Key=key, Range=f"bytes=-{length}")
            return response["Body"].read()
        except _failures() as error:
            raise self._read_error("read the end of", key, error) from error

    def delete(self, key: str) -> None:
        """Delete an object. The bucket keeps its versions for a while.

        Raises:
            StorageError: S3 failed.
        """
        try:
            self._s3.delete_object(Bucket=self.name, Key=key)
        except _failures() as error:
            raise StorageError(self._failure("delete", key, error)) from error

    def deleted(self, prefix: str) -> Iterator[Deleted]:
        """Yield the deleted keys: those whose newest version is a delete marker.

        Raises:
            StorageError: S3 failed.
        """
        marked: Deleted | None = None
        for version in self.versions(prefix):
            if marked is not None and version.key != marked.key:
                yield marked
                marked = None
            if version.is_marker and version.is_latest:
                marked = Deleted(version.key, version.version, None)
            elif marked is not None and marked.version is None and not version.is_marker:
                marked = marked._replace(version=version.version)
        if marked is not None:
            yield marked

    def versions(self, prefix: str, after: str = "") -> Iterator[Version]:
        """Yield the versions and delete markers under a prefix: by key, and newest first.

        They start after the key `after`.

        Raises:
            StorageError: S3 failed.
        """
        query: dict[str, Any] = {"Bucket": self.name, "Prefix": prefix}
        if after:
            # "Specifies the key to start with" (ListObjectVersions): its versions may be listed.
            query["KeyMarker"] = after
        while True:
            try:
                page = self._s3.list_object_versions(**query)
            except _failures() as error:
                raise StorageError(self._failure("list versions of", prefix, error)) from error
            entries: list[tuple[Any, bool]] = [(it, True) for it in page.get("DeleteMarkers", [])]
            entries += [(it, False) for it in page.get("Versions", [])]
            # S3 lists the versions of a key newest first, and its markers apart from them.
            entries.sort(key=lambda it: (it[0]["Key"], not it[0]["IsLatest"]))
            for item, is_marker in entries:
                if item["Key"] <= after:
                    continue
                yield Version(
                    item["Key"],
                    item["VersionId"],
                    item["IsLatest"],
                    is_marker,
                    item.get("ETag", ""),
                )
            if not page.get("IsTruncated"):
                return
            query["KeyMarker"] = page["NextKeyMarker"]
            query["VersionIdMarker"] = page["NextVersionIdMarker"]

    def delete_version(self, version: Version) -> None:
        """Delete one version, or a delete marker, for ever.

        Raises:
            StorageError: S3 failed.
        """
        try:
            self._s3.delete_object(Bucket=self.name, Key=version.key, VersionId=version.version)
        except _failures() as error:
            raise StorageError(self._failure("delete a version of", version.key, error)) from error

    def undelete(self, deleted: Deleted) -> None:
        """Remove a delete marker, which restores the version before it.

        Raises:
            StorageError: S3 failed.
        """
        try:
            self._s3.delete_object(Bucket=self.name, Key=deleted.key, VersionId=deleted.marker)
        except _failures() as error:
            raise StorageError(self._failure("restore", deleted.key, error)) from error

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Yield the keys under a prefix in order, starting after `after`.

        Raises:
            StorageError: S3 failed.
        """
        for page in self._pages(Prefix=prefix, StartAfter=after):
            for item in page.get("Contents", []):
                yield item["Key"]

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects under a prefix in the order of their keys.

        Raises:
            StorageError: S3 failed.
        """
        for page in self._pages(Prefix=prefix):
            for item in page.get("Contents", []):
                yield ListedObject(item["LastModified"], item["Key"], item["ETag"], item["Size"])

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the common prefixes under a prefix, up to and including the next slash.

        Raises:
            StorageError: S3 failed.
        """
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for item in page.get("CommonPrefixes", []):
                yield item["Prefix"]

    def _pages(self, **query: Any) -> Iterator[Mapping[str, Any]]:
        token: dict[str, Any] = {}
        while True:
            try:
                page = self._s3.list_objects_v2(Bucket=self.name, **query, **token)
            except _failures() as error:
                raise StorageError(self._failure("list", str(query["Prefix"]), error)) from error
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _read_error(self, operation: str, key: str, error: Exception) -> StorageError:
        kind = MissingObjectError if _status(error) == 404 else StorageError
        return kind(self._failure(operation, key, error))

    def _failure(self, operation: str, key: str, error: Exception) -> str:
        return (
            f"Can't {operation} s3://{self.name}/{key}: {_code(error)}. "
            "Check that the bucket exists and that the role may use it."
        )


@cache
def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    return (ClientError, BotoCoreError, HTTPClientError)


def _status(error: Exception) -> int:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: Exception) -> str:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
