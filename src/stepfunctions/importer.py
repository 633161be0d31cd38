"""ImportFunction: validate a roster before the import, and write its report afterwards.

The state machine reads a normalized copy whose key is the content's digest. So it reads the bytes
that were validated, even if another file replaces the upload in the meantime.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from stepfunctions import aws, function_log, roster
from stepfunctions.accounts import Accounts
from stepfunctions.errors import RosterError
from stepfunctions.settings import settings

#: DynamoDB, "BatchGetItem": at most 100 items.
BATCH_SIZE: Final = 100
REPORT_SUFFIX: Final = ".report.csv"


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

    Writes the normalized copy, or for an invalid file a report with the reason. `known` is true if
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
    copy = f"read/{valid.file_id}.jsonl"
    decided = _is_decided(valid.file_id, valid.rows)
    if not decided:
        _put(bucket, copy, valid.text, "application/jsonl")
    return {"ok": True, "known": decided, "fileId": valid.file_id, "rows": valid.rows, "copy": copy}


def report(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"done": false}, or {"done": true} with the count of each outcome.

    When done, it writes the report. It is done once no request is pending, or when the state
    machine sets `last` after its final poll.

    Raises:
        TransientError: S3 or DynamoDB failed temporarily.
        PermanentError: S3 or DynamoDB rejected the request.
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    file_id, rows = str(event["fileId"]), int(event["rows"])
    outcomes = _outcomes(file_id, rows, stop_at_pending=not event["last"])
    if outcomes is None:
        return {"done": False}
    text = roster.report(rows, file_id, outcomes)
    _write_report(str(event["bucket"]), str(event["key"]), text)
    ids = (roster.request_id(file_id, index) for index in range(rows))
    return {
        "done": True,
        **roster.count(roster.row_status(outcomes.get(it)) for it in ids),
    }


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


def report_key(key: str) -> str:
    """Return the report's key: "rosters/a.csv" has the report "reports/a.csv".

    Other names get ".report.csv" appended, so that no two uploads have the same report.
    """
    name = key.removeprefix("rosters/")
    keeps = name.endswith(".csv") and not name.endswith(REPORT_SUFFIX)
    return f"reports/{name if keeps else name + REPORT_SUFFIX}"


def _write_report(bucket: str, key: str, text: str) -> None:
    _put(bucket, report_key(key), text, "text/csv; charset=utf-8")


def _put(bucket: str, key: str, text: str, content_type: str) -> None:
    with aws.translate_errors("S3"):
        s3().put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=content_type)
