"""The two functions' worth of an import: look at the file before, write the report after.

The rows are read from a copy that is named by its content. So what is read is what was judged, even
where somebody puts another file under the same name meanwhile.
"""

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
    """Return {"ok", "known", "fileId", "rows", "copy"}; a file that is no roster gets its report.

    `known`: every row of this very file was decided before, and there is nothing to read.
    """
    with aws.answers("S3"):
        content = storage().get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        found = roster.inspect(content)
    except RosterError as error:
        # What is called "rosters/2026/" is no file: it is how S3's console shows a folder.
        if not key.endswith("/"):
            _write_report(bucket, key, roster.refusal(error))
        return {"ok": False, "known": False, "fileId": "", "rows": 0, "copy": ""}
    copy = f"read/{found.file_id}.csv"
    known = _decided(found.file_id, found.rows) is not None
    if not known:
        _put(bucket, copy, found.text)
    return {"ok": True, "known": known, "fileId": found.file_id, "rows": found.rows, "copy": copy}


def report(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"done"}, and when done the number of each outcome; write the report then.

    It is done when no request is pending, or when the machine waited long enough (`last`).
    """
    file_id, rows = str(event["fileId"]), int(event["rows"])
    found = _look(file_id, rows, until_pending=not event["last"])
    if found is None:
        return {"done": False}
    text = roster.report(rows, file_id, found)
    _write_report(str(event["bucket"]), str(event["key"]), text)
    ids = (roster.request_id(file_id, index) for index in range(rows))
    return {
        "done": True,
        **roster.count(found[it]["status"] if it in found else "failed" for it in ids),
    }


def _decided(file_id: str, rows: int) -> dict[str, dict[str, Any]] | None:
    # A new file has no first row yet: one read tells most of them.
    if not accounts().statuses([roster.request_id(file_id, 0)]):
        return None
    found = _look(file_id, rows, until_pending=True)
    return found if found is not None and len(found) == rows else None


def _look(file_id: str, rows: int, *, until_pending: bool) -> dict[str, dict[str, Any]] | None:
    """Return what became of the requests; None as soon as one is pending, if that is enough.

    From the end, because the last ones are decided last.
    """
    found: dict[str, dict[str, Any]] = {}
    for end in range(rows, 0, -BATCH):
        ids = [roster.request_id(file_id, index) for index in range(max(0, end - BATCH), end)]
        part = accounts().statuses(ids)
        if until_pending and any(it["status"] == "pending" for it in part.values()):
            return None
        found |= part
    return found


def _write_report(bucket: str, key: str, text: str) -> None:
    name = key.removeprefix("rosters/")
    _put(bucket, f"reports/{name}" if name.endswith(".csv") else f"reports/{name}.csv", text)


def _put(bucket: str, key: str, text: str) -> None:
    with aws.answers("S3"):
        storage().put_object(
            Bucket=bucket, Key=key, Body=text.encode(), ContentType="text/csv; charset=utf-8"
        )
