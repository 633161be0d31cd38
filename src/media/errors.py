"""The errors of a request for cookies: each has the code and HTTP status of the API's response."""


class MediaError(Exception):
    """Base class of this package's errors."""

    code = "internal"
    status = 500


class NotEntitledError(MediaError):
    """Raised when the member isn't in the group that may see the media."""

    code = "not_entitled"
    status = 403


class TokenRevokedError(MediaError):
    """Raised when the deny-list contains the member's token."""

    code = "token_revoked"
    status = 401


class SessionReplacedError(MediaError):
    """Raised when as many newer sessions of the member play media as the school allows."""

    code = "session_replaced"
    status = 403


class UnavailableError(MediaError):
    """Raised when the deny-list can't be read, or AWS KMS doesn't sign."""

    code = "unavailable"
    status = 503
