"""Apply the settings of an Athena workgroup to its queries, and refuse what Athena refuses.

Gap: a query runs in a workgroup that doesn't exist or is disabled, and scans any number of bytes. A
workgroup with managed query results needs a location of results. Invalid limits, and the deletion
of a workgroup with saved queries, are accepted.
Seen in: ministack 1.5.33, services/athena.py.
Delete when: Athena refuses the requests of tests/refusals/test_athena.py, and runs a query with
managed results.

Sources: Athena API reference, WorkGroupConfiguration, ManagedQueryResultsConfiguration and
DeleteWorkGroup; Athena User Guide, "Configure per-query and per-workgroup data usage controls". The
emulator counts whole objects as scanned; Athena counts the columns that a query reads.
"""

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_INVALID: Final = "InvalidRequestException"
_TYPE: Final = "AWS::Athena::WorkGroup"
#: MiniStack passes it to the deletion, which didn't read it.
PROPERTIES: Final = {_TYPE: {"RecursiveDeleteOption"}}
#: API reference, WorkGroupConfiguration: "Minimum value of 10000000".
_MIN_LIMIT: Final = 10_000_000
_LIMIT_MESSAGE: Final = "Bytes scanned limit was exceeded"
#: MiniStack needs a location; the execution doesn't keep this one.
_MANAGED: Final = "s3://managed-query-results/"
#: The bytes of the objects that the query of this task has read.
_scanned: ContextVar[list[int]] = ContextVar("scanned")

type Configuration = Mapping[str, Any]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check workgroups, and apply their settings to each query."""
    athena = Symbols(
        "ministack.services.athena",
        *("_create_workgroup", "_delete_workgroup", "_execute_query", "_executions"),
        *("_materialize_table_files", "_named_queries", "_save_query_results", "_workgroups"),
        *("_start_query_execution", "error_response_json"),
    )

    def configuration(workgroup: str) -> Configuration:
        known: Configuration = athena["_workgroups"].get(workgroup, {})
        settings: Configuration = known.get("Configuration") or {}
        return settings

    def check_query(request: dict[str, Any]) -> tuple[str, str] | None:
        workgroup = athena["_workgroups"].get(request.get("WorkGroup", "primary"))
        if workgroup is None:
            return _INVALID, "WorkGroup is not found."
        if workgroup.get("State") == "DISABLED":
            return _INVALID, f"WorkGroup {workgroup['Name']} is disabled."
        return None

    def check_deletion(request: dict[str, Any]) -> tuple[str, str] | None:
        name = request.get("WorkGroup")
        saved = any(it["WorkGroup"] == name for it in athena["_named_queries"].values())
        if saved and not request.get("RecursiveDeleteOption"):
            return _INVALID, f"WorkGroup {name} is not empty."
        return None

    def check_properties(properties: dict[str, Any]) -> None:
        error = invalid_configuration(properties.get("WorkGroupConfiguration") or {})
        if error is not None:
            raise ValueError(error)

    refuse(athena, "_create_workgroup", lambda it: _refused(it.get("Configuration") or {}))
    refuse(athena, "_delete_workgroup", check_deletion)
    athena.wrap("_start_query_execution", lambda it: _start(athena, configuration, it))
    refuse(athena, "_start_query_execution", check_query)
    athena.wrap("_save_query_results", lambda it: _save(athena, it))
    athena.wrap("_materialize_table_files", _counted)
    athena.wrap("_execute_query", lambda it: _limited(athena, configuration, it))
    extend(_TYPE, lambda _id, props, _attributes: check_properties(props), None, check_properties)


def invalid_configuration(configuration: Configuration) -> str | None:
    """Return why Athena refuses a workgroup's configuration, or None. Pure."""
    limit = configuration.get("BytesScannedCutoffPerQuery")
    if limit is not None and int(limit) < _MIN_LIMIT:
        return f"BytesScannedCutoffPerQuery must be at least {_MIN_LIMIT}."
    location = (configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    if _is_managed(configuration) and location:
        return "A workgroup with managed query results can't have an OutputLocation."
    return None


def _refused(configuration: Configuration) -> tuple[str, str] | None:
    error = invalid_configuration(configuration)
    return None if error is None else (_INVALID, error)


def _is_managed(configuration: Configuration) -> bool:
    managed = configuration.get("ManagedQueryResultsConfiguration") or {}
    return str(managed.get("Enabled")).lower() == "true"


def _start(
    athena: Symbols, configuration: Callable[[str], Configuration], original: Callable[..., Any]
) -> Callable[..., Any]:
    def start(request: dict[str, Any]) -> Any:
        if not _is_managed(configuration(request.get("WorkGroup", "primary"))):
            return original(request)
        response = original({**request, "ResultConfiguration": {"OutputLocation": _MANAGED}})
        query_id = json.loads(response[2]).get("QueryExecutionId")
        if query_id:
            execution = athena["_executions"][query_id]
            execution["ResultConfiguration"] = {}
            execution["ManagedQueryResultsConfiguration"] = {"Enabled": True}
        return response

    return start


def _save(athena: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    async def save(query_id: str) -> None:
        if athena["_executions"][query_id]["ResultConfiguration"]:
            await original(query_id)

    return save


def _counted(original: Callable[..., list[str]]) -> Callable[..., list[str]]:
    def materialize(*arguments: Any) -> list[str]:
        files = original(*arguments)
        _scanned.get([]).extend(Path(it).stat().st_size for it in files)
        return files

    return materialize


def _limited(
    athena: Symbols, configuration: Callable[[str], Configuration], original: Callable[..., Any]
) -> Callable[..., Any]:
    async def execute(query_id: str, *arguments: Any) -> None:
        scanned: list[int] = []
        _scanned.set(scanned)
        await original(query_id, *arguments)
        execution = athena["_executions"][query_id]
        execution["Statistics"]["DataScannedInBytes"] = sum(scanned)
        limit = configuration(execution["WorkGroup"]).get("BytesScannedCutoffPerQuery")
        if limit is not None and sum(scanned) > int(limit):
            execution["Status"] |= {"State": "CANCELLED", "StateChangeReason": _LIMIT_MESSAGE}
            execution["_results"] = None

    return execute
