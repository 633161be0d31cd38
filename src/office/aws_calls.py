"""Shared by the adapters: an error of a service becomes a refusal without the service's text."""

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
        raise UnavailableError("A service failed. Send the same request again.") from error


def error_code(error: Any) -> str:
    """Return the code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))
