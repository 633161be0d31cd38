"""Copy the lake's objects to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.lake_sql.tables import FLOW_LOGS, FOLDERS, INDEX_FOLDERS
from tools.paths import STATE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The folder in which `make run KEEP=1` stores the lake.
KEPT: Final = STATE / "run" / "lake"


def copy_lake(client: "S3Client", bucket: str, folder: Path) -> int:
    """Make `folder` equal to the lake's Parquet objects; return their number.

    A file is kept while its object has the same size and is older: only erasure replaces objects.

    Raises:
        CommandError: S3 refused or didn't answer.
    """
    current: set[Path] = set()
    try:
        for prefix in (*FOLDERS.values(), *INDEX_FOLDERS, FLOW_LOGS):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=f"{prefix}/"
            )
            for entry in (entry for page in pages for entry in page.get("Contents", [])):
                if not entry["Key"].endswith(".parquet"):
                    continue
                target = folder / entry["Key"]
                current.add(target)
                if _is_current(target, entry["Size"], entry["LastModified"].timestamp()):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                partial = target.with_suffix(".part")
                partial.write_bytes(body)
                partial.replace(target)
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't copy the data lake s3://{bucket}: {reason_of(error)}. Restart `make up`."
        ) from error
    for path in folder.rglob("*.parquet"):
        if path not in current:
            path.unlink()
    return len(current)


def _is_current(target: Path, size: int, changed: float) -> bool:
    if not target.exists():
        return False
    copied = target.stat()
    # S3 rounds down to a second, so a change in the second of the copy counts as later.
    return copied.st_size == size and changed + 1 <= copied.st_mtime
