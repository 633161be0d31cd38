"""S3: objects that are written once, read back, and listed by the hour."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from stream_processor.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: A PUT that meets another PUT of the same name is answered 409, and may be sent again ("How to
#: prevent object overwrites with conditional writes", Amazon S3 User Guide).
_CONFLICT_ATTEMPTS = 5


@cache
def client() -> "S3Client":
    """The client of this process, made at its first use. An attempt is bounded by seconds."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=3, read_timeout=15, retries={"mode": "standard", "max_attempts": 4}
    )
    return boto3.client("s3", config=config)


class Deleted(NamedTuple):
    """A name that was deleted: its marker, and the version below, unless that is gone as well."""

    key: str
    marker: str
    version: str | None


class Bucket:
    """One bucket. Every failure that is not an answer of S3's own comes out as StorageError."""

    def __init__(self, name: str, s3: "S3Client | None" = None) -> None:
        self.name = name
        self._given = s3

    @property
    def _s3(self) -> "S3Client":
        return self._given if self._given is not None else client()

    def create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> bool:
        """Write an object where none is: True. False where one is, which stays as it is."""
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                self._s3.put_object(
                    Bucket=self.name,
                    Key=key,
                    Body=body,
                    Metadata=metadata,
                    ContentType="application/vnd.apache.parquet",
                    IfNoneMatch="*",
                )
            except _failures() as error:
                status = _status(error)
                if status == 412:
                    return False
                if status == 409:
                    continue
                raise StorageError(f"S3 did not store {key}: {_name(error)}") from error
            return True
        raise StorageError(f"S3 did not store {key}: other writers of it did not come to an end")

    def metadata(self, key: str, version: str | None = None) -> Mapping[str, str]:
        """What an object, or an earlier version of it, says of itself."""
        older: dict[str, Any] = {} if version is None else {"VersionId": version}
        try:
            return self._s3.head_object(Bucket=self.name, Key=key, **older)["Metadata"]
        except _failures() as error:
            raise StorageError(f"S3 did not describe {key}: {_name(error)}") from error

    def read(self, key: str) -> bytes:
        """A whole object."""
        try:
            return self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        except _failures() as error:
            raise StorageError(f"S3 did not give {key}: {_name(error)}") from error

    def delete(self, key: str) -> None:
        """Take an object away; its versions stay for as long as the bucket keeps them."""
        try:
            self._s3.delete_object(Bucket=self.name, Key=key)
        except _failures() as error:
            raise StorageError(f"S3 did not delete {key}: {_name(error)}") from error

    def deleted(self, prefix: str) -> Iterator[Deleted]:
        """What was deleted: names whose newest version is a delete marker."""
        query: dict[str, Any] = {"Bucket": self.name, "Prefix": prefix}
        marked: dict[str, Deleted] = {}
        while True:
            try:
                page = self._s3.list_object_versions(**query)
            except _failures() as error:
                raise StorageError(f"S3 did not list {prefix}: {_name(error)}") from error
            for marker in page.get("DeleteMarkers", []):
                if marker["IsLatest"]:
                    marked[marker["Key"]] = Deleted(marker["Key"], marker["VersionId"], None)
            # The versions of a name come newest first, its marker before them.
            for version in page.get("Versions", []):
                found = marked.get(version["Key"])
                if found is not None and found.version is None:
                    marked[found.key] = found._replace(version=version["VersionId"])
            if not page.get("IsTruncated"):
                yield from marked.values()
                return
            query["KeyMarker"] = page["NextKeyMarker"]
            query["VersionIdMarker"] = page["NextVersionIdMarker"]

    def undelete(self, deleted: Deleted) -> None:
        """Take a delete marker away, so that the version below it is the object again."""
        try:
            self._s3.delete_object(Bucket=self.name, Key=deleted.key, VersionId=deleted.marker)
        except _failures() as error:
            raise StorageError(f"S3 did not bring back {deleted.key}: {_name(error)}") from error

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """The names under a prefix, in order, behind `after`."""
        for page in self._pages(Prefix=prefix, StartAfter=after):
            for item in page.get("Contents", []):
                yield item["Key"]

    def folders(self, prefix: str) -> Iterator[str]:
        """The names under a prefix up to the next slash, that included."""
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for item in page.get("CommonPrefixes", []):
                yield item["Prefix"]

    def _pages(self, **query: Any) -> Iterator[Mapping[str, Any]]:
        token: dict[str, Any] = {}
        while True:
            try:
                page = self._s3.list_objects_v2(Bucket=self.name, **query, **token)
            except _failures() as error:
                raise StorageError(f"S3 did not list {query}: {_name(error)}") from error
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}


@cache
def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    return (ClientError, BotoCoreError, HTTPClientError)


def _status(error: Exception) -> int:
    response: Mapping[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _name(error: Exception) -> str:
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
