"""Refuse requests before MiniStack's operation runs. Used by the patches."""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.symbols import Symbols

type Request = dict[str, Any]
#: Called with the operation's arguments, of which a request is usually the only one. Returns the
#: error code and the message if AWS refuses it, or None.
type Check = Callable[..., tuple[str, str] | None]


def refuse(service: Symbols, operation: str, check: Check) -> None:
    """Let an operation answer 400 with the error that `check` returns.

    `service` declares the operation and MiniStack's error_response_json.

    Raises:
        MissingSymbolError: `service` doesn't declare one of them.
    """

    def wrapper(original: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any) -> Any:
            error = check(*arguments)
            if error is not None:
                return service["error_response_json"](*error, 400)
            return original(*arguments)

        return checked

    service.wrap(operation, wrapper)
