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
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

# AWS Lambda Developer Guide, "Configuring reserved concurrency for a function".
_MIN_UNRESERVED: Final = 100
_DEFAULT_QUOTA: Final = 1_000


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Set the default quota, check reservations, and let tests change the quota."""
    service = Symbols(
        "ministack.services.lambda_svc",
        *("_ACCOUNT_CONCURRENCY_CAP", "_functions", "_put_function_concurrency"),
        "error_response_json",
    )
    service["_ACCOUNT_CONCURRENCY_CAP"] = _DEFAULT_QUOTA

    def wrapper(original: Any) -> Any:
        def checked(func_name: str, data: dict[str, Any]) -> Any:
            functions = service["_functions"]
            others = sum(
                int(functions[name].get("concurrency") or 0)
                for name in functions
                if name != func_name
            )
            wanted = int(data.get("ReservedConcurrentExecutions", 0))
            if service["_ACCOUNT_CONCURRENCY_CAP"] - others - wanted >= _MIN_UNRESERVED:
                return original(func_name, data)
            if wanted == 0 or func_name not in functions:
                return original(func_name, data)
            return service["error_response_json"](
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{_MIN_UNRESERVED}].",
                400,
            )

        return checked

    service.wrap("_put_function_concurrency", wrapper)

    def set_quota(query: Query) -> dict[str, int]:
        service["_ACCOUNT_CONCURRENCY_CAP"] = int(query["limit"])
        return {"limit": service["_ACCOUNT_CONCURRENCY_CAP"]}

    control.add("PUT", "/_local/concurrency-quota", set_quota)
