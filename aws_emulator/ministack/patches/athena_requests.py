"""Check Athena's requests: their permissions, their limits, and that a query only reads tables.

Gap: a call that names a query and no workgroup is checked on "*". An empty query, a token of
another length and a longer page are accepted, and a repeated token starts a query again. Statements
that change something, and functions of DuckDB that read the machine's files, run.
Seen in: ministack 1.5.33, core/iam_actions.py, extract_resource_arn; services/athena.py.
Delete when: a role with permissions on one workgroup can read its queries only, and Athena refuses
the requests of tests/refusals/test_athena_requests.py.

Sources: Athena API reference, StartQueryExecution and ListNamedQueries; service authorization
reference, "Actions, resources, and condition keys for Amazon Athena". On AWS, a statement that
changes the catalog needs permissions of AWS Glue; here, each one is refused.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Request = dict[str, Any]

_INVALID: Final = "InvalidRequestException"
#: StartQueryExecution, QueryString: "Maximum length of 262144".
_MAX_QUERY_CHARS: Final = 262_144
#: ListNamedQueries, MaxResults.
_MAX_RESULTS: Final = 50
#: StartQueryExecution, ClientRequestToken.
_TOKEN_CHARS: Final = range(32, 129)
#: Functions of DuckDB with files, and strings in place of a table.
_FILES: Final = re.compile(
    r"\b(?:read_\w+|parquet_\w+|glob|sniff_csv|\w+_scan|getenv)\s*\(|\b(?:FROM|JOIN)\s+'",
    re.IGNORECASE,
)
_READING: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH|EXPLAIN|VALUES)\b", re.IGNORECASE | re.DOTALL
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check each request."""
    athena = Symbols(
        "ministack.services.athena",
        *("_executions", "_list_named_queries", "_named_queries", "_run_duckdb"),
        *("_start_query_execution", "error_response_json", "json_response"),
    )
    actions = Symbols("ministack.core.iam_actions", "extract_iam_action", "extract_resource_arn")
    actions.wrap("extract_iam_action", lambda it: _acting(athena, it))
    actions.wrap("extract_resource_arn", lambda it: _named(athena, it))
    athena.wrap("_start_query_execution", lambda it: _repeated(athena, it))
    refuse(athena, "_start_query_execution", invalid_start)
    refuse(athena, "_list_named_queries", invalid_page)
    athena.wrap("_run_duckdb", _reading)


def _workgroup_of(athena: Symbols, body: bytes) -> str | None:
    """Return the workgroup of the query that a request names; "" for an unknown query."""
    request = json.loads(body or b"{}")
    stores = {"QueryExecutionId": "_executions", "NamedQueryId": "_named_queries"}
    for name, store in stores.items():
        if name in request:
            return str((athena[store].get(request[name]) or {}).get("WorkGroup", ""))
    return None


def _acting(athena: Symbols, original: Callable[..., str | None]) -> Callable[..., str | None]:
    def action(service: str, *request: Any) -> str | None:
        # Athena answers InvalidRequestException: there is no workgroup to check.
        if service == "athena" and _workgroup_of(athena, _body(request)) == "":
            return None
        return original(service, *request)

    return action


def _named(athena: Symbols, original: Callable[..., str]) -> Callable[..., str]:
    def resource(service: str, *request: Any) -> str:
        workgroup = _workgroup_of(athena, _body(request)) if service == "athena" else None
        if not workgroup:
            return original(service, *request)
        region, account = request[-2:]
        return f"arn:aws:athena:{region}:{account}:workgroup/{workgroup}"

    return resource


def _repeated(athena: Symbols, original: Callable[[Request], Any]) -> Callable[[Request], Any]:
    def start(request: Request) -> Any:
        token = request.get("ClientRequestToken")
        for query_id, execution in list(athena["_executions"].items()):
            if token and execution.get("_token") == token:
                return athena["json_response"]({"QueryExecutionId": query_id})
        answer = original(request)
        query_id = json.loads(answer[2]).get("QueryExecutionId")
        if query_id:
            athena["_executions"][query_id]["_token"] = token
        return answer

    return start


def _reading(original: Callable[..., Any]) -> Callable[..., Any]:
    async def run(query: str, *arguments: Any) -> Any:
        reason = not_reading(query)
        if reason is not None:
            raise ValueError(reason)
        return await original(query, *arguments)

    return run


def _body(request: tuple[Any, ...]) -> bytes:
    return next((it for it in request if isinstance(it, bytes)), b"")


def invalid_start(request: Request) -> tuple[str, str] | None:
    """Return the error of StartQueryExecution, or None. Pure."""
    if not 1 <= len(request.get("QueryString", "")) <= _MAX_QUERY_CHARS:
        return _INVALID, f"QueryString must have 1 to {_MAX_QUERY_CHARS} characters."
    token = request.get("ClientRequestToken")
    if token is not None and len(token) not in _TOKEN_CHARS:
        return _INVALID, "ClientRequestToken must have 32 to 128 characters."
    return None


def invalid_page(request: Request) -> tuple[str, str] | None:
    """Return the error of ListNamedQueries, or None. Pure."""
    if request.get("MaxResults", 0) > _MAX_RESULTS:
        return _INVALID, f"MaxResults must be at most {_MAX_RESULTS}."
    return None


def not_reading(query: str) -> str | None:
    """Return why a query does more than read tables, or None. Pure."""
    if not _READING.match(query) or ";" in query.strip().rstrip(";"):
        return "Insufficient permissions to execute the query: it isn't one SELECT statement."
    match = _FILES.search(query)
    return None if match is None else f"mismatched input '{match[0]}'. Athena reads tables only."
