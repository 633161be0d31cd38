"""The errors of a revocation: each has a stable code and the HTTP status of the API's response."""

from custom_resource.response import CustomResourceError


class RevocationError(CustomResourceError):
    """Base class of this package's errors."""

    code = "revocation"
    status = 500


class InvalidRequestError(RevocationError):
    """Raised when a request names no user, no session and not everyone, or more than one."""

    code = "invalid_request"
    status = 400


class UnknownUserError(RevocationError):
    """Raised when the user pool has no such user."""

    code = "unknown_user"
    status = 404


class ListFullError(RevocationError):
    """Raised when the deny-list has no place for another entry."""

    code = "list_full"
    status = 409


class UserPoolError(RevocationError):
    """Raised when Cognito refuses a call."""

    code = "user_pool"
    status = 503
