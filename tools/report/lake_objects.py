"""List the data lake's objects, read the row counts in their metadata, and download copies."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "events/"


@dataclass(frozen=True)
class LakeObject:
    """One object of the listing. `size` is in bytes."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Counts:
    """The row counts in an object's metadata."""

    good: int
    bad: int
    duplicate: int

    @property
    def rows(self) -> int:
        """The total number of rows."""
        return self.good + self.bad + self.duplicate


class Lake:
    """The `events/` objects of one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def objects(self) -> list[LakeObject]:
        """Return the Parquet objects, sorted by key.

        Raises:
            CommandError: S3 failed.
        """
        with _s3_errors(self.bucket):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=PREFIX
            )
            objects = [
                LakeObject(entry["Key"], entry["Size"], entry["LastModified"])
                for page in pages
                for entry in page.get("Contents", [])
                if entry["Key"].endswith(".parquet")
            ]
        return sorted(objects, key=lambda item: item.key)

    def counts(self, key: str) -> Counts:
        """Return the row counts in the object's metadata.

        Raises:
            CommandError: S3 failed, or the metadata has no valid row counts.
        """
        with _s3_errors(self.bucket):
            metadata = self._client.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        return _counts(key, metadata)

    def copy(self, key: str, target: Path) -> Counts:
        """Download the object to `target`; return the row counts in its metadata.

        Raises:
            CommandError: S3 failed, or the metadata has no valid row counts.
        """
        with _s3_errors(self.bucket):
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            with target.open("wb") as file:
                shutil.copyfileobj(answer["Body"], file)
        return _counts(key, answer["Metadata"])


def _counts(key: str, metadata: Mapping[str, str]) -> Counts:
    try:
        return Counts(*(int(metadata[name]) for name in ("good", "bad", "duplicate")))
    except (KeyError, ValueError) as error:
        raise CommandError(
            f"The metadata of {key} has no valid row counts. Delete the object: another program "
            "wrote it."
        ) from error


@contextmanager
def _s3_errors(bucket: str) -> Iterator[None]:
    """Convert the SDK's errors to CommandError.

    Raises:
        CommandError: S3 failed.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise CommandError(
            f"Can't read the data lake s3://{bucket}: {code}. Read "
            ".meridian/run/logs/ministack.log."
        ) from error
    except BotoCoreError as error:
        reason = type(error).__name__
        raise CommandError(
            f"Can't read the data lake s3://{bucket}: {reason}. Read "
            ".meridian/run/logs/ministack.log."
        ) from error


@cache
def s3(endpoint: str, region: str) -> "S3Client":
    """Return an S3 client of the emulator, which accepts any credentials."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator's
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 3, "mode": "standard"},
            connect_timeout=3,
            read_timeout=20,
        ),
    )


@dataclass(frozen=True)
class Copy:
    """A downloaded object, and the row counts in its metadata."""

    original: LakeObject
    counts: Counts
    path: Path


@contextmanager
def copies(lake: Lake, directory: Path) -> Iterator[list[Copy]]:
    """Download all objects to a folder in `directory`; delete it at the end of the context.

    Raises:
        CommandError: S3 failed, or an object's metadata has no valid row counts.
    """
    directory.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="lake-", dir=directory))
    try:
        downloaded = []
        for number, item in enumerate(lake.objects()):
            path = folder / f"{number:06d}.parquet"
            downloaded.append(Copy(item, lake.copy(item.key, path), path))
        yield downloaded
    finally:
        shutil.rmtree(folder, ignore_errors=True)
