"""Errors of the REST API emulator."""

from aws_emulator.errors import CommandError


class DefinitionError(CommandError):
    """Raised if API Gateway would reject an API definition, or the emulator doesn't support it.

    The message names the method and the field.
    """


class InvalidJsonError(Exception):
    """Raised if a request body isn't JSON, or is nested too deeply."""


class GatewayResponseError(Exception):
    """Raised when API Gateway responds itself, with a gateway response.

    `response_type` is one of "Gateway response types for API Gateway". `reason` is for the
    emulator's log: clients never receive it, and it contains no data that a client sent. `status`
    replaces the status code of the type.
    """

    def __init__(self, response_type: str, reason: str = "", *, status: int | None = None) -> None:
        """Store the response type, the reason and the status."""
        super().__init__(f"{response_type}: {reason}" if reason else response_type)
        self.response_type = response_type
        self.reason = reason
        self.status = status
