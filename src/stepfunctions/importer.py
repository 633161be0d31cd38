"""The two functions' worth of an import: look at the file before, write the report after."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from stepfunctions import aws, roster
from stepfunctions.accounts import Accounts
from stepfunctions.errors import RosterError
from stepfunctions.settings import settings

#: DynamoDB, "BatchGetItem": at most 100 items.
BATCH = 100


@cache
def storage() -> Any:
    """The client of this process, made at its first use."""
    return aws.client("s3")


@cache
def accounts() -> Accounts:
    """The table of this process."""
    return Accounts(settings().need("accounts_table"))


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Take {"action": "inspect" | "report", "bucket", "key", …}; return what the machine goes by.

    Raises TransientError and RefusedError where S3 or DynamoDB do not answer.
    """
    if event["action"] == "inspect":
        return inspect(str(event["bucket"]), str(event["key"]))
    return report(event)


def inspect(bucket: str, key: str) -> dict[str, Any]:
    """Return {"ok", "fileId", "rows"}; a file that breaks a rule gets its report at once."""
    with aws.answers("S3"):
        content = storage().get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        found = roster.inspect(content)
    except RosterError as error:
        _write(bucket, key, f"row,status,code,field,message\r\n,refused,file,,{error}\r\n")
        return {"ok": False, "fileId": "", "rows": 0}
    return {"ok": True, "fileId": found.file_id, "rows": found.rows}


def report(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"done", "created", "rejected", "failed", "pending"}; write the report when done.

    It is done when no request is pending, or when the machine waited long enough (`last`).
    """
    file_id, rows = str(event["fileId"]), int(event["rows"])
    ids = [roster.request_id(file_id, index) for index in range(rows)]
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, rows, BATCH):
        found |= accounts().statuses(ids[start : start + BATCH])
    totals = roster.count(found[it]["status"] if it in found else "failed" for it in ids)
    done = bool(event["last"]) or totals["pending"] == 0
    if done:
        _write(str(event["bucket"]), str(event["key"]), roster.report(rows, file_id, found))
    return {"done": done, **totals}


def _write(bucket: str, key: str, text: str) -> None:
    name = key.removeprefix("rosters/")
    with aws.answers("S3"):
        storage().put_object(
            Bucket=bucket,
            Key=f"reports/{name}",
            Body=text.encode(),
            ContentType="text/csv; charset=utf-8",
        )
