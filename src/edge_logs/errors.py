"""Errors of this package: each has a stable code and a message that names the cause."""

from custom_resource.response import CustomResourceError


class InvalidPropertyError(CustomResourceError):
    """Raised when a property of the custom resource or of the schedule's input is invalid."""

    code = "invalid_property"


class LogsApiError(CustomResourceError):
    """Raised when CloudWatch Logs or AWS Account Management refuses a call, or isn't reachable."""

    code = "logs_api"


class IncompleteError(CustomResourceError):
    """Raised when the log groups of a Region couldn't be changed."""

    code = "incomplete"
