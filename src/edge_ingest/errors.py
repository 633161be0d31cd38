"""Errors of the collector, named after HTTP statuses, and the table that maps them to a status.

`code` is a stable identifier that clients receive. The message must not repeat client input.
"""

from typing import Final

#: The code of the events of suppressed persons, in a response with status 200.
SUPPRESSED: Final = "suppressed"
SUPPRESSED_MESSAGE: Final = "the person's events must not be stored"


class IngestError(Exception):
    """Base class: the request fails as a whole. `retry_after` is in seconds, None if final."""

    retry_after: int | None = None

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class BadRequestError(IngestError):
    """The body can't be decoded or parsed. Sending the same body again fails again."""


class UnauthorizedError(IngestError):
    """The request has no write key, or no source has its write key."""


class ForbiddenError(IngestError):
    """The source doesn't allow the origin of the page that sent the request."""


class NotFoundError(IngestError):
    """No route matches the path."""


class MethodNotAllowedError(IngestError):
    """The route doesn't accept the method."""


class ContentTooLargeError(IngestError):
    """The body, or the number of events in it, exceeds a limit."""


class TooManyRequestsError(IngestError):
    """The source exceeds its rate limit."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class ServiceUnavailableError(IngestError):
    """No Region acknowledged all records. The client can send the whole request again."""

    def __init__(self, code: str, message: str, retry_after: int) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class SettingsError(IngestError, ValueError):
    """`settings.json` is invalid; `key` is the path of the setting. Code: `settings`."""

    retry_after = 30

    def __init__(self, key: str, problem: str) -> None:
        super().__init__("settings", f"{key}: {problem}")
        self.key = key


# Measured on the SDKs: they drop a batch on a 4xx, and retry a 429 or 5xx after `Retry-After`.
STATUS: Final[dict[type[IngestError], int]] = {
    BadRequestError: 400,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    MethodNotAllowedError: 405,
    ContentTooLargeError: 413,
    TooManyRequestsError: 429,
    ServiceUnavailableError: 503,
    SettingsError: 503,
}
