"""Refuse Kinesis records over the limit, and invalid reads.

Gap: the partition key does not count for the size of a record. Any text is a sequence number, and
GetRecords lowers its limit instead of refusing it.
Seen in: ministack 1.5.33, kinesis.py, _put_record, _put_records, _get_shard_iterator, _get_records.
Delete when: the three requests are refused.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import Request, refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

# CreateStream, MaxRecordSizeInKiB: 1,024 by default. PutRecord: "The record size limit applies to
# the total size of the partition key and data blob."
MAX_RECORD_BYTES: Final = 1_048_576
# GetRecords: "If you specify a value that is greater than 10,000, GetRecords throws
# InvalidArgumentException."
MAX_READ_RECORDS: Final = 10_000


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the arguments of the four operations."""
    names = ("_put_record", "_put_records", "_get_shard_iterator", "_get_records")
    service = Symbols("ministack.services.kinesis", "error_response_json", *names)

    def refuse_with(code: str, operation: str, check: Callable[[Request], str | None]) -> None:
        def error(request: Request) -> tuple[str, str] | None:
            message = check(request)
            return None if message is None else (code, message)

        refuse(service, operation, error)

    refuse_with("ValidationException", "_put_record", lambda data: _oversize([data]))
    refuse_with(
        "ValidationException", "_put_records", lambda data: _oversize(data.get("Records", []))
    )
    refuse_with("InvalidArgumentException", "_get_shard_iterator", _invalid_number)
    refuse_with("InvalidArgumentException", "_get_records", _invalid_limit)


def _oversize(records: list[dict[str, Any]]) -> str | None:
    for record in records:
        data = record.get("Data") or ""
        # Base64: four characters for three bytes.
        size = len(data) * 3 // 4 - data[-2:].count("=") + len(record["PartitionKey"].encode())
        if size > MAX_RECORD_BYTES:
            return f"The record has {size} bytes with its partition key, over {MAX_RECORD_BYTES}."
    return None


def _invalid_number(data: dict[str, Any]) -> str | None:
    number = data.get("StartingSequenceNumber")
    if number is None or number.isdecimal():
        return None
    return f"StartingSequenceNumber {number} is invalid."


def _invalid_limit(data: dict[str, Any]) -> str | None:
    if data.get("Limit", 1) <= MAX_READ_RECORDS:
        return None
    return f"The limit {data['Limit']} is over {MAX_READ_RECORDS}."
