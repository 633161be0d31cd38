"""The errors of a change: each has a stable code and the HTTP status of the API's response."""

from custom_resource.response import CustomResourceError


class SourcesError(CustomResourceError):
    """Base class of this package's errors."""

    code = "sources"
    status = 500


class InvalidRequestError(SourcesError):
    """Raised when a request has no known action, lacks a value or has an invalid one."""

    code = "invalid_request"
    status = 400


class UnknownSourceError(SourcesError):
    """Raised when no source has the id."""

    code = "unknown_source"
    status = 404


class ConflictError(SourcesError):
    """Raised when the source's state doesn't allow the change, or a maximum is reached."""

    code = "source_conflict"
    status = 409


class SuppressionKeyError(SourcesError):
    """Raised when the key of the suppressed persons' fingerprints can't be read."""

    code = "suppression_key"
    status = 503
