"""The errors that fail a deployment: each has a stable code and a message that names the cause."""

from custom_resource.response import CustomResourceError


class InvalidPropertyError(CustomResourceError):
    """Raised when a property of the custom resource is missing or malformed."""

    code = "invalid_property"


class QuotaError(CustomResourceError):
    """Raised when all reservations are required and Lambda's quota doesn't allow them."""

    code = "quota"


class LambdaApiError(CustomResourceError):
    """Raised when Lambda refuses a call."""

    code = "lambda_api"
