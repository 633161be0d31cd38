"""ImportFunction: validate a roster before the import, and write its report afterwards.

The state machine reads a normalized copy whose key is the content's digest. So it reads the bytes
that were validated, even if another file replaces the upload in the meantime.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from stepfunctions import aws, function_log, roster
from stepfunctions.accounts import Accounts
from stepfunctions.errors import RosterError
from stepfunctions.settings import settings

#: DynamoDB, "BatchGetItem": at most 100 items.
BATCH_SIZE: Final = 100


@cache
def s3() -> Any:
    """Return the process's S3 client, created on the first call."""
    return aws.client("s3")


@cache
def accounts() -> Accounts:
    """Return the process's accounts table.

    Raises:
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    return Accounts(settings().require("accounts_table"))


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Take {"action": "inspect" | "report", "bucket", "key", …}; return the action's result.

    The log has the content's digest instead of the key, because a file name can be personal data.

    Raises:
        TransientError: S3 or DynamoDB failed temporarily.
        PermanentError: S3 or DynamoDB rejected the request.
        SettingsError: An environment variable is missing.
    """
    correlation_id = event.get("correlationId")
    if event["action"] == "inspect":
        upload = inspect(str(event["bucket"]), str(event["key"]))
        counts = {name: upload[name] for name in ("ok", "known", "rows")}
        function_log.info("roster inspected", correlation_id, file_id=upload["fileId"], **counts)
        return upload
    result = report(event)
    message = "report written" if result["done"] else "requests pending"
    counts = {name: value for name, value in result.items() if name != "done"}
    function_log.info(message, correlation_id, file_id=event["fileId"], **counts)
    return result


def inspect(bucket: str, key: str) -> dict[str, Any]:
    """Validate the uploaded file; return {"ok", "known", "fileId", "rows", "copy"}.

    Writes the normalized copy and notes the file as the last one of its name, or writes a report
    with the reason for an invalid file. `known` is true if
    every row of a file with the same content was decided before: then there is nothing to import.

    Raises:
        TransientError: S3 or DynamoDB failed temporarily.
        PermanentError: S3 or DynamoDB rejected the request.
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    with aws.translate_errors("S3"):
        content = s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        valid = roster.parse(content)
    except RosterError as error:
        # The S3 console creates an empty object such as "rosters/2026/" for a folder.
        if not key.endswith("/"):
            _write_report(bucket, key, roster.rejection_report(error))
        return {"ok": False, "known": False, "fileId": "", "rows": 0, "copy": ""}
    copy = roster.copy_key(valid.file_id)
    decided = _is_decided(valid.file_id, valid.rows)
    # Also of a known file: the report compares it with the next list of the same name.
    _put(bucket, copy, valid.text, "application/jsonl", {roster.ROWS: str(valid.rows)})
    _remember_list(bucket, key, valid.file_id)
    return {"ok": True, "known": decided, "fileId": valid.file_id, "rows": valid.rows, "copy": copy}


def report(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"done": false, "missing": …}, or {"done": true} with the count of each outcome.

    When done, it writes the report. It is done once no request is pending, or when the state
    machine sets `last` after its final poll. `missing` is true if rows have no request: the state
    machine sends them again, until it sets `lastRound`.

    Raises:
        TransientError: S3 or DynamoDB failed temporarily.
        PermanentError: S3 or DynamoDB rejected the request.
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    file_id, rows = str(event["fileId"]), int(event["rows"])
    # The first poll after a round reads every row, because a missing one can be anywhere.
    outcomes = _outcomes(file_id, rows, stop_at_pending=event["polls"] > 0 and not event["last"])
    if outcomes is not None and len(outcomes) < rows and not event["lastRound"]:
        return {"done": False, "missing": True}
    pending = outcomes is None or "pending" in {it["status"] for it in outcomes.values()}
    if outcomes is None or (pending and not event["last"]):
        return {"done": False, "missing": False}
    bucket, key = str(event["bucket"]), str(event["key"])
    # S3 deletes copies after 30 days: then the report has the workflow's reasons only.
    text = _content(bucket, roster.copy_key(file_id)) or ""
    left_rows = _left_rows(bucket, key, file_id, text)
    _write_report(bucket, key, roster.report(rows, file_id, outcomes, text, left_rows))
    ids = [roster.request_id(file_id, index) for index in range(rows)]
    statuses = [roster.row_status(outcomes.get(it)) for it in ids]
    return {"done": True, **roster.count([*statuses, *("left" for _ in left_rows)])}


def _is_decided(file_id: str, rows: int) -> bool:
    # Most files are new: one read of the first row's request detects them.
    if not accounts().request_statuses([roster.request_id(file_id, 0)]):
        return False
    outcomes = _outcomes(file_id, rows, stop_at_pending=True)
    return outcomes is not None and len(outcomes) == rows


def _outcomes(
    file_id: str, rows: int, *, stop_at_pending: bool
) -> dict[str, dict[str, Any]] | None:
    """Return the requests' outcomes by id; None at the first pending one if `stop_at_pending`.

    Reads from the last row, which is decided last.
    """
    outcomes: dict[str, dict[str, Any]] = {}
    for end in range(rows, 0, -BATCH_SIZE):
        start = max(0, end - BATCH_SIZE)
        ids = [roster.request_id(file_id, index) for index in range(start, end)]
        batch = accounts().request_statuses(ids)
        if stop_at_pending and any(it["status"] == "pending" for it in batch.values()):
            return None
        outcomes |= batch
    return outcomes


def list_key(key: str) -> str:
    """Return the key of the object that names the last two files uploaded as `key`."""
    return f"lists/{key.removeprefix('rosters/')}.json"


def _remember_list(bucket: str, key: str, file_id: str) -> None:
    """Note the file as the last one of this name; the same file again changes nothing."""
    last = json.loads(_content(bucket, list_key(key)) or "{}")
    if last.get("fileId") != file_id:
        files = {"fileId": file_id, "previous": last.get("fileId", "")}
        _put(bucket, list_key(key), json.dumps(files), "application/json")


def _left_rows(bucket: str, key: str, file_id: str, text: str) -> list[int]:
    """Return the previous list's rows that aren't in this one; none if the copies have expired."""
    files = json.loads(_content(bucket, list_key(key)) or "{}")
    if files.get("fileId") != file_id or not files["previous"]:
        return []
    previous = _content(bucket, roster.copy_key(files["previous"]))
    return roster.left(previous, text) if previous and text else []


def _content(bucket: str, key: str) -> str | None:
    """Return an object's text, or None if it doesn't exist."""
    with aws.translate_errors("S3"):
        listed = s3().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        if [it["Key"] for it in listed] != [key]:
            return None
        content: bytes = s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return content.decode()


def _write_report(bucket: str, key: str, text: str) -> None:
    _put(bucket, roster.report_key(key), text, "text/csv; charset=utf-8")


def _put(
    bucket: str, key: str, text: str, content_type: str, metadata: Mapping[str, str] | None = None
) -> None:
    item = {"Bucket": bucket, "Key": key, "Body": text.encode(), "ContentType": content_type}
    with aws.translate_errors("S3"):
        s3().put_object(**item, Metadata=metadata or {})
