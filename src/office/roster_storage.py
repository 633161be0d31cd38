"""Adapter of the bucket of the rosters, and of the requests of their rows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from office.aws_calls import call, error_code
from office.rosters import Report, Upload
from stepfunctions import roster

_PREFIX: Final = "rosters/"
_SUFFIX: Final = ".csv"
#: Metadata of an upload: the SHA-256 of the content, and the `sub` of the member of staff.
FILE_ID: Final = "file-id"
BY: Final = "by"


class RosterStorage:
    """The rosters bucket, and the accounts table."""

    def __init__(self, s3: Any, dynamodb: Any, bucket: str, accounts: str) -> None:
        self._s3 = s3
        self._dynamodb = dynamodb
        self._bucket = bucket
        self._accounts = accounts

    def put(self, name: str, content: bytes, file_id: str, by: str) -> None:
        """Store an upload; S3's event starts the import.

        Raises:
            UnavailableError: S3 failed.
        """
        call(
            lambda: self._s3.put_object(
                Bucket=self._bucket,
                Key=_key(name),
                Body=content,
                ContentType="text/csv",
                Metadata={FILE_ID: file_id, BY: by},
            )
        )

    def uploads(self) -> list[Upload]:
        """Return the uploads of the last 30 days, after which the bucket deletes them.

        Raises:
            UnavailableError: S3 failed.
        """
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=_PREFIX
        )
        listed = call(lambda: [it for page in pages for it in page.get("Contents", [])])
        return [
            Upload(it["Key"].removeprefix(_PREFIX).removesuffix(_SUFFIX), _ms(it["LastModified"]))
            for it in listed
            if it["Key"].endswith(_SUFFIX)
        ]

    def upload(self, name: str) -> Upload | None:
        """Return an upload, or None without one.

        Raises:
            UnavailableError: S3 failed.
        """
        head = self._read(lambda: self._s3.head_object(Bucket=self._bucket, Key=_key(name)))
        if head is None:
            return None
        return Upload(name, _ms(head["LastModified"]), head["Metadata"].get(FILE_ID, ""))

    def rows(self, file_id: str) -> int:
        """Return the number of rows of the normalized copy; 0 without one.

        Raises:
            UnavailableError: S3 failed.
        """
        key = roster.copy_key(file_id)
        head = self._read(lambda: self._s3.head_object(Bucket=self._bucket, Key=key))
        return int(head["Metadata"].get(roster.ROWS, "0")) if head else 0

    def report(self, name: str) -> Report | None:
        """Return the newest report, or None without one.

        Raises:
            UnavailableError: S3 failed.
        """
        key = roster.report_key(_key(name))
        answer = self._read(lambda: self._s3.get_object(Bucket=self._bucket, Key=key))
        if answer is None:
            return None
        text = call(answer["Body"].read).decode()
        return Report(_ms(answer["LastModified"]), text)

    def statuses(self, request_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the statuses of requests. Those that DynamoDB leaves out aren't in the result.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        keys = [{"pk": {"S": f"REQUEST#{it}"}, "sk": {"S": "REQUEST"}} for it in request_ids]
        read = {
            "Keys": keys,
            "ProjectionExpression": "pk, #status",
            "ExpressionAttributeNames": {"#status": "status"},
        }
        answer = call(lambda: self._dynamodb.batch_get_item(RequestItems={self._accounts: read}))
        items = answer["Responses"].get(self._accounts, [])
        return {it["pk"]["S"].removeprefix("REQUEST#"): it["status"]["S"] for it in items}

    def _read(self, request: Callable[[], Any]) -> Any:
        """Return the answer of GetObject or HeadObject, or None without the object."""
        from botocore.exceptions import ClientError

        def send() -> Any:
            try:
                return request()
            except ClientError as error:
                # HEAD has no body, so the code is the status.
                if error_code(error) in {"404", "NoSuchKey"}:
                    return None
                raise

        return call(send)


def _key(name: str) -> str:
    return f"{_PREFIX}{name}{_SUFFIX}"


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
