"""S3 adapter of exports: parts, which the steps of the workflow write, and the file of all parts.

The bucket is that of the rosters, under another prefix. A part has a number and the name of the
member that it belongs to, so a step that is repeated writes the same part again.
"""

import tempfile
import zipfile
from functools import cache
from typing import Any, Final

from stepfunctions import aws

#: The file that the email's link opens.
FILE: Final = "meridian-export.zip"
#: How long the address of the file works, in seconds; the page asks for another one.
ADDRESS_S: Final = 300
#: Objects that one call deletes (DeleteObjects: at most 1,000).
PAGE: Final = 1_000
#: Bytes of the file that stay in memory while it is made.
_IN_MEMORY: Final = 16_000_000


class ExportFiles:
    """The files of exports."""

    def __init__(self, bucket: str, s3: Any) -> None:
        self._bucket = bucket
        self._s3 = s3

    def put(self, folder: str, number: int, member: str, content: bytes) -> None:
        """Store a part of a member of the file.

        Raises:
            TransientError: S3 failed temporarily.
            PermanentError: S3 rejected the request.
        """
        with aws.translate_errors("S3"):
            self._s3.put_object(
                Bucket=self._bucket, Key=f"{folder}{number:06}-{member}", Body=content
            )

    def assemble(self, folder: str) -> None:
        """Make the file of all parts, each member's in the order of their numbers.

        Raises:
            TransientError: S3 failed temporarily.
            PermanentError: S3 rejected the request.
        """
        members: dict[str, list[str]] = {}
        for key in self._keys(folder):
            if not key.endswith(FILE):
                members.setdefault(key.rpartition("/")[2].partition("-")[2], []).append(key)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for member, keys in members.items():
                    with archive.open(member, "w") as out:
                        for key in keys:
                            out.write(self._read(key))
            file.seek(0)
            with aws.translate_errors("S3"):
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=f"{folder}{FILE}",
                    Body=file,
                    ContentType="application/zip",
                )

    def address(self, folder: str) -> str:
        """Return an address of the file that works for ADDRESS_S seconds."""
        address: str = self._s3.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": f"{folder}{FILE}",
                "ResponseContentDisposition": f'attachment; filename="{FILE}"',
                "ResponseCacheControl": "no-store",
            },
            ExpiresIn=ADDRESS_S,
        )
        return address

    def delete(self, folder: str) -> int:
        """Delete up to PAGE files under a prefix; return how many there were.

        Raises:
            TransientError: S3 failed temporarily.
            PermanentError: S3 rejected the request.
        """
        with aws.translate_errors("S3"):
            page = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=folder, MaxKeys=PAGE)
            keys = [it["Key"] for it in page.get("Contents", [])]
            for key in keys:
                self._s3.delete_object(Bucket=self._bucket, Key=key)
        return len(keys)

    def _keys(self, folder: str) -> list[str]:
        keys: list[str] = []
        query: dict[str, Any] = {"Bucket": self._bucket, "Prefix": folder}
        with aws.translate_errors("S3"):
            while True:
                page = self._s3.list_objects_v2(**query)
                keys += [it["Key"] for it in page.get("Contents", [])]
                if not page.get("IsTruncated"):
                    return keys
                query["ContinuationToken"] = page["NextContinuationToken"]

    def _read(self, key: str) -> bytes:
        with aws.translate_errors("S3"):
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body


@cache
def client() -> Any:
    """Return the process's S3 client. Addresses need version 4 of signatures and the Region."""
    import boto3
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        connect_timeout=2,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 3},
    )
    return boto3.client("s3", config=config)
