"""The records that a running system has of its requests: log lines, executions, lake rows."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from aws_emulator.launcher import CLOUDFRONT
from aws_emulator.log_lines import LogLine
from aws_emulator.trace import Invocation, invocations_of
from tools.lake_sql.tables import open_lake

#: The columns of a lake row that name its request, its record and its object.
ROW_COLUMNS: Final = (
    *("verdict", "reason_code", "request_id", "message_id", "shard_id", "sequence_number"),
    *("stream_region", "filename"),
)
CHANGE_COLUMNS: Final = ("verdict", "op", "shard_id", "sequence_number", "filename")
type Row = Mapping[str, Any]


@dataclass(frozen=True)
class Execution:
    """An execution of a state machine. `read_input` returns its input, read when it is needed."""

    machine: str
    arn: str
    name: str
    status: str
    start_ms: float
    stop_ms: float | None
    read_input: Callable[[], str]

    @cached_property
    def correlation_id(self) -> str:
        """The ID of the causing request: CloudFront's, or S3's for an upload."""
        try:
            input_document = json.loads(self.read_input())
        except ValueError:
            return ""
        if not isinstance(input_document, dict):
            return ""
        return str(input_document.get("correlationId") or input_document.get("request-id") or "")


@dataclass
class Evidence:
    """`states` is a Step Functions client. `lakes` has a folder with a copy of each lake."""

    lines: list[LogLine]
    states: Any
    stage: str
    lakes: Mapping[str, Path] = field(default_factory=dict)

    @cached_property
    def invocations(self) -> list[Invocation]:
        """The invocations of all functions, in the order of their start."""
        return invocations_of(self.lines)

    @property
    def requests(self) -> list[LogLine]:
        """The lines of CloudFront's access logs, one log for each edge location."""
        return [
            it
            for it in self.lines
            if it.source.partition("@")[0] == CLOUDFRONT and "behavior" in it.fields
        ]

    def request(self, request_id: str) -> LogLine | None:
        """Return the access log's line of a CloudFront request."""
        return next((it for it in self.requests if it.request_id == request_id), None)

    def invocation(self, source: str, name: str, value: str) -> Invocation | None:
        """Return a function's first invocation with a line whose field `name` has this value."""
        return next(iter(self.invocations_with(source, name, value)), None)

    def invocations_with(self, source: str, name: str, value: str) -> list[Invocation]:
        """Return a function's invocations with a line whose field `name` has this value."""
        return [
            it
            for it in self.invocations
            if it.source.partition("@")[0] == source and value in it.values(name)
        ]

    def invocation_by_id(self, request_id: str) -> Invocation | None:
        """Return the invocation with a Lambda request ID."""
        return next((it for it in self.invocations if it.request_id == request_id), None)

    @cached_property
    def executions(self) -> list[Execution]:
        """The executions of the Standard state machines, the oldest first."""
        executions = [it for machine in ("account", "import") for it in self._executions(machine)]
        return sorted(executions, key=lambda it: it.start_ms)

    def _executions(self, machine: str) -> Iterator[Execution]:
        name = f"meridian-{self.stage}-{machine}"
        pages = self.states.get_paginator("list_state_machines").paginate()
        arns = [it["stateMachineArn"] for page in pages for it in page["stateMachines"]]
        for arn in (it for it in arns if it.endswith(f":{name}")):
            listed = self.states.get_paginator("list_executions").paginate(stateMachineArn=arn)
            for listed_execution in (it for page in listed for it in page["executions"]):
                yield Execution(
                    machine,
                    str(listed_execution["executionArn"]),
                    str(listed_execution["name"]),
                    str(listed_execution["status"]),
                    epoch_ms(listed_execution["startDate"]),
                    epoch_ms(listed_execution["stopDate"])
                    if listed_execution.get("stopDate")
                    else None,
                    partial(self._input, str(listed_execution["executionArn"])),
                )

    def _input(self, arn: str) -> str:
        return str(self.states.describe_execution(executionArn=arn).get("input") or "{}")

    def accounts_started(
        self, since_ms: float, until_ms: float | None = None
    ) -> Iterator[Execution]:
        """Yield the account workflow's executions that started between two times."""
        for execution in self.executions:
            before_end = until_ms is None or execution.start_ms <= until_ms
            if execution.machine == "account" and execution.start_ms >= since_ms and before_end:
                yield execution

    def event_rows(self, column: str, value: str) -> list[Row]:
        """Return the rows of the events table whose column has this value, at most 1,000."""
        return self._rows("events", ROW_COLUMNS, f'"{column}" = $value', value)

    def change_rows(self, correlation_id: str) -> list[Row]:
        """Return the rows of the changes table whose new image names a request."""
        condition = "json_extract_string(new_image_json, '$.correlation_id.S') = $value"
        return self._rows("changes", CHANGE_COLUMNS, condition, correlation_id)

    def rows_of_object(self, key: str) -> list[Row]:
        """Return the rows of an object of the events table, by its key or a part of it."""
        return self._rows("events", ROW_COLUMNS, "contains(filename, $value)", key)

    def _rows(self, table: str, names: tuple[str, ...], condition: str, value: str) -> list[Row]:
        rows: list[Row] = []
        for folder in self.lakes.values():
            with open_lake(folder, filenames=True) as connection:
                statement = (
                    f"SELECT {', '.join(names)} FROM {table} "  # noqa: S608 - fixed names
                    f"WHERE {condition} ORDER BY filename, record_index LIMIT 1000"
                )
                fetched_rows = connection.execute(statement, {"value": value}).fetchall()
            rows += [dict(zip(names, row, strict=True)) for row in fetched_rows]
        return rows


def epoch_ms(moment: datetime) -> float:
    """Return a time in Unix milliseconds."""
    return moment.timestamp() * 1000
