"""What ends a deployment of the edge: a stable code, and a sentence that names the cause."""


class EdgeSettingsError(Exception):
    """Raised when a custom resource cannot be served. The deployer reads the sentence."""

    code = "edge_settings"


class UnknownResourceError(EdgeSettingsError):
    """Raised for a custom resource type or a function that this room does not serve."""

    code = "unknown_resource"


class MissingPropertyError(EdgeSettingsError):
    """Raised when a property of the custom resource is absent or of the wrong form."""

    code = "missing_property"


class InvalidSettingsError(EdgeSettingsError):
    """Raised when the settings would not be accepted by the function that is to run with them."""

    code = "invalid_settings"


class PackageError(EdgeSettingsError):
    """Raised when the built package cannot be fetched, read, or published."""

    code = "package"


class SigningKeysError(EdgeSettingsError):
    """Raised when the user pool's signing keys cannot be fetched."""

    code = "signing_keys"
