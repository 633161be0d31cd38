"""The refusals of a request: each has a stable code and an HTTP status.

Messages contain no personal data.
"""


class CatalogueError(Exception):
    """Base class of the refusals."""

    code = "internal"
    status = 500


class SettingsError(CatalogueError):
    """Raised when an environment variable is missing or invalid."""

    code = "settings_invalid"


class _CodedError(CatalogueError):
    """A refusal whose code depends on the request."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RequestError(_CodedError):
    """Raised when a request is malformed; `code` says how."""

    status = 400


class UnknownPathError(CatalogueError):
    """Raised when the catalogue has no such path."""

    code = "not_found"
    status = 404


class UnknownCourseError(CatalogueError):
    """Raised when no course has the id, or the course is archived."""

    code = "course_unknown"
    status = 404


class MethodError(CatalogueError):
    """Raised when a path doesn't support the method."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: str) -> None:
        super().__init__(f"This path supports {allowed}.")
        self.allowed = allowed


class NotSignedInError(CatalogueError):
    """Raised when a change has no valid access token."""

    code = "not_signed_in"
    status = 401


class NotStaffError(CatalogueError):
    """Raised when the caller isn't in the group staff, or didn't sign in as a user."""

    code = "not_staff"
    status = 403


class ConflictError(_CodedError):
    """Raised when the course changed since the caller read it, or a request id is used again."""

    status = 409


class TooLargeError(CatalogueError):
    """Raised when a request or an answer exceeds the load balancer's 1 MB."""

    code = "too_large"
    status = 413


class UnavailableError(CatalogueError):
    """Raised when the database doesn't answer: the caller may try again."""

    code = "catalogue_unavailable"
    status = 503


class SlowQueryError(UnavailableError):
    """Raised when a statement exceeded its time limit."""

    code = "query_too_slow"


class PrimaryLostError(UnavailableError):
    """Raised when the database of the home Region can't be written. Reads go on."""

    code = "changes_unavailable"
