"""The room's errors, and the one table from an error to its answer.

An error's `code` is stable and reaches the client; its sentence names no value of the client's.
"""

from typing import Final


class IngestError(Exception):
    """What ends a request without its events being taken. `retry_after` is in seconds."""

    retry_after: int | None = None

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MalformedError(IngestError):
    """The body is not what the route takes; the same body will never be."""


class UnauthorizedError(IngestError):
    """No write key, or none that is known."""


class UnknownRouteError(IngestError):
    """Nothing is served at this path."""


class MethodError(IngestError):
    """The path is served, but not for this method."""


class TooLargeError(IngestError):
    """The body, or the number of its events, is past a limit."""


class RateLimitedError(IngestError):
    """The source has sent more than its settings allow."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class UnavailableError(IngestError):
    """No region acknowledged the request: it may be sent again, whole."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class SettingsError(IngestError, ValueError):
    """The settings are not usable; the sentence names the key. Code: `settings`."""

    retry_after = 30

    def __init__(self, key: str, problem: str) -> None:
        super().__init__("settings", f"{key}: {problem}")
        self.key = key


# What SDKs need was measured: a 4xx is final, a 429 or 5xx is tried again after `Retry-After`.
STATUS: Final[dict[type[IngestError], int]] = {
    MalformedError: 400,
    UnauthorizedError: 401,
    UnknownRouteError: 404,
    MethodError: 405,
    TooLargeError: 413,
    RateLimitedError: 429,
    UnavailableError: 503,
    SettingsError: 503,
}
