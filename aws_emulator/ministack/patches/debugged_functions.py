"""Send the invocations of a function to a process that a debugger is attached to.

Gap: a function's process can't be replaced by one that waits for a debugger, without time limits.
Seen in: ministack 1.5.33, lambda_svc.py, _execute_function_warm.
Delete when: MiniStack can send a function's invocations to an address.

POST /_local/debugged-functions?arn=ARN&url=URL begins, DELETE with `arn` ends, GET lists the ARNs.
The ARN of a function includes its replicas of Lambda@Edge.
`aws_emulator.debugging` serves the URL.
"""

import json
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Forward invocations before they take a process of the function."""
    service = Symbols("ministack.services.lambda_svc", "_execute_function_warm")
    addresses: dict[str, str] = {}

    def begin(query: Query) -> list[str]:
        arn, url = query.get("arn", ""), query.get("url", "")
        if ":function:" not in arn or urlsplit(url).hostname != "127.0.0.1":
            raise ValueError("expected arn=<function ARN> and url=http://127.0.0.1:<port>")
        addresses[_unqualified(arn)] = url
        return sorted(addresses)

    def end(query: Query) -> list[str]:
        addresses.pop(_unqualified(query.get("arn", "")), None)
        return sorted(addresses)

    def forwarding(original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(func: dict[str, Any], event: Any, request_id: str) -> Any:
            config = func.get("config") or func
            arn = _replicated(_unqualified(str(config.get("FunctionArn", ""))))
            if (url := addresses.get(arn)) is not None:
                try:
                    return _forward(url, event, request_id, str(config["FunctionArn"]))
                except OSError:
                    # The debugged process has ended without a word.
                    addresses.pop(arn, None)
            return original(func, event, request_id)

        return execute

    service.wrap("_execute_function_warm", forwarding)
    control.add("POST", "/_local/debugged-functions", begin)
    control.add("DELETE", "/_local/debugged-functions", end)
    control.add("GET", "/_local/debugged-functions", lambda _query: sorted(addresses))


def _forward(url: str, event: Any, request_id: str, arn: str) -> Any:
    document = json.dumps({"event": event, "request_id": request_id, "arn": arn}).encode()
    request = urllib.request.Request(url, document, {"Content-Type": "application/json"})
    # A developer may stop at a breakpoint for hours.
    with urllib.request.urlopen(request, timeout=None) as response:
        return json.load(response)


def _replicated(arn: str) -> str:
    """Return the ARN of a replica's function, or the ARN of a function that isn't a replica."""
    # The names of other functions have no dot.
    home, dot, own_name = arn.rpartition(":")[2].partition(".")
    if not dot:
        return arn
    *start, _region, account, kind, _name = arn.split(":")
    return ":".join([*start, home, account, kind, own_name])


def _unqualified(arn: str) -> str:
    """Return a function's ARN without a version or an alias."""
    return ":".join(arn.split(":")[:7])
