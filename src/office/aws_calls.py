"""Shared by the adapters: an error of a service becomes a refusal without the service's text."""

import json
from collections.abc import Callable
from typing import Any

from office.errors import UnavailableError


def call[Result](send: Callable[[], Result]) -> Result:
    """Return the result of a call.

    Raises:
        UnavailableError: The service failed or refused the call.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return send()
    except (ClientError, BotoCoreError) as error:
        _log(error)
        raise UnavailableError("A service failed. Send the same request again.") from error


def _log(error: Any) -> None:
    # The operation and AWS's code, for the runbook's first command; never the service's text.
    cause = error_code(error) if hasattr(error, "response") else type(error).__name__
    operation = getattr(error, "operation_name", "")
    line = {"level": "ERROR", "message": "call failed", "operation": operation, "code": cause}
    print(json.dumps(line))


def error_code(error: Any) -> str:
    """Return the code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))
