"""The errors that fail a deployment: each has a stable code and a message that names the cause."""

from custom_resource.response import CustomResourceError


class EdgeSettingsError(CustomResourceError):
    """Base class of this package's errors."""

    code = "edge_settings"


class UnknownResourceError(EdgeSettingsError):
    """Raised when the custom resource has a type that this function doesn't support."""

    code = "unknown_resource"


class MissingPropertyError(EdgeSettingsError):
    """Raised when a property of the custom resource is missing or malformed."""

    code = "missing_property"


class InvalidSettingsError(EdgeSettingsError):
    """Raised when the function to publish would reject the settings."""

    code = "invalid_settings"


class AppClientError(EdgeSettingsError):
    """Raised when the app client can't be read or updated."""

    code = "app_client"


class PackageError(EdgeSettingsError):
    """Raised when the built package can't be downloaded, read or published."""

    code = "package"


class SigningKeysError(EdgeSettingsError):
    """Raised when the user pool's signing keys can't be downloaded."""

    code = "signing_keys"


class SecretError(EdgeSettingsError):
    """Raised when the collector's secret can't be read, created or deleted."""

    code = "secret"


class ConsumerReadError(EdgeSettingsError):
    """Raised when a Region's event source mappings can't be read."""

    code = "consumer_read"


class UnconsumedStreamError(EdgeSettingsError):
    """Raised when the collector would write, or writes, to a stream without a consumer."""

    code = "unconsumed_stream"
