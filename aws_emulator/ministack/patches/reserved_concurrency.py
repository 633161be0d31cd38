"""Refuse reserved concurrency that the account's quota doesn't allow.

Gap: PutFunctionConcurrency accepts each number, and the quota depends on the machine's memory.
Seen in: ministack 1.5.33, lambda_svc.py, _put_function_concurrency and
_default_account_concurrency.
Delete when: a reservation that leaves less than 100 executions unreserved is refused.

PUT /_local/concurrency-quota?limit=<executions> sets the account's quota, 1,000 by default. A new
AWS account has 10.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

# AWS Lambda Developer Guide, "Configuring reserved concurrency for a function".
_MIN_UNRESERVED: Final = 100
_DEFAULT_QUOTA: Final = 1_000
_MESSAGE: Final = (
    "Specified ReservedConcurrentExecutions for function decreases account's "
    f"UnreservedConcurrentExecution below its minimum value of [{_MIN_UNRESERVED}]."
)


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Set the default quota, check reservations, and let tests change the quota."""
    service = Symbols(
        "ministack.services.lambda_svc",
        *("_ACCOUNT_CONCURRENCY_CAP", "_functions", "_put_function_concurrency"),
        "error_response_json",
    )
    service["_ACCOUNT_CONCURRENCY_CAP"] = _DEFAULT_QUOTA

    def error(func_name: str, data: dict[str, Any]) -> tuple[str, str] | None:
        functions = service["_functions"]
        wanted = int(data.get("ReservedConcurrentExecutions", 0))
        # 0 disables the function. MiniStack answers for a function that doesn't exist.
        if wanted == 0 or func_name not in functions:
            return None
        others = sum(
            int(functions[name].get("concurrency") or 0) for name in functions if name != func_name
        )
        if service["_ACCOUNT_CONCURRENCY_CAP"] - others - wanted >= _MIN_UNRESERVED:
            return None
        return "InvalidParameterValueException", _MESSAGE

    refuse(service, "_put_function_concurrency", error)

    def set_quota(query: Query) -> dict[str, int]:
        service["_ACCOUNT_CONCURRENCY_CAP"] = int(query["limit"])
        return {"limit": service["_ACCOUNT_CONCURRENCY_CAP"]}

    control.add("PUT", "/_local/concurrency-quota", set_quota)
