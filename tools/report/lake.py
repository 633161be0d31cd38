"""The lake's objects: what is listed, what their metadata says, and copies to read."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "events/"


@dataclass(frozen=True)
class LakeObject:
    """One object as the listing has it. `size` is in bytes."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Counts:
    """What an object's metadata says that it holds, in rows."""

    good: int
    bad: int
    duplicate: int

    @property
    def rows(self) -> int:
        """All rows."""
        return self.good + self.bad + self.duplicate


class Lake:
    """The `events/` objects of one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def objects(self) -> list[LakeObject]:
        """List the Parquet objects, by key."""
        with _clear(self.bucket):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=PREFIX
            )
            found = [
                LakeObject(entry["Key"], entry["Size"], entry["LastModified"])
                for page in pages
                for entry in page.get("Contents", [])
                if entry["Key"].endswith(".parquet")
            ]
        return sorted(found, key=lambda item: item.key)

    def counts(self, key: str) -> Counts:
        """Read the counts that the writer put into the object's metadata."""
        with _clear(self.bucket):
            metadata = self._client.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        return _counts(key, metadata)

    def copy(self, key: str, target: Path) -> Counts:
        """Download the object; return what its metadata counts."""
        with _clear(self.bucket):
            answer = self._client.get_object(Bucket=self.bucket, Key=key)
            with target.open("wb") as file:
                shutil.copyfileobj(answer["Body"], file)
        return _counts(key, answer["Metadata"])


def _counts(key: str, metadata: Mapping[str, str]) -> Counts:
    try:
        return Counts(*(int(metadata[name]) for name in ("good", "bad", "duplicate")))
    except (KeyError, ValueError) as error:
        raise CommandError(f"The object {key} does not say how many rows it holds.") from error


@contextmanager
def _clear(bucket: str) -> Iterator[None]:
    """Turn the SDK's errors into one sentence."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise CommandError(f"The lake s3://{bucket} cannot be read ({code}).") from error
    except BotoCoreError as error:
        reason = type(error).__name__
        raise CommandError(f"The lake s3://{bucket} does not answer ({reason}).") from error


@cache
def s3(endpoint: str, region: str) -> "S3Client":
    """Return the client of an emulator, whose credentials are any."""
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
    """A copy of an object, with what its metadata says that it holds."""

    original: LakeObject
    counts: Counts
    path: Path


@contextmanager
def copies(lake: Lake, directory: Path) -> Iterator[list[Copy]]:
    """Download all objects below `directory`, for as long as they are read."""
    directory.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="lake-", dir=directory))
    try:
        found = []
        for number, item in enumerate(lake.objects()):
            path = folder / f"{number:06d}.parquet"
            found.append(Copy(item, lake.copy(item.key, path), path))
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)
