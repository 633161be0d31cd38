"""What ends a request before its integration has answered it, and what ends the program."""

from aws_emulator.errors import CommandError


class DefinitionError(CommandError):
    """Raised for a definition that API Gateway would refuse, or that says what is not served here.

    The sentence names the operation and the part of it.
    """


class NotJsonError(Exception):
    """Raised for a body that is no JSON, or is nested beyond all use."""


class RefusedError(Exception):
    """Raised where API Gateway answers by itself; `kind` is its gateway response type.

    The types are those of "Gateway response types for API Gateway". `reason` is for the log of the
    program: it never reaches a client, and repeats nothing that a client sent.
    """

    def __init__(self, kind: str, reason: str = "") -> None:
        """Keep both."""
        super().__init__(f"{kind}: {reason}" if reason else kind)
        self.kind = kind
        self.reason = reason
