"""The errors of this package. Messages contain no personal data."""


class SettingsError(Exception):
    """Raised when an environment variable is missing."""


class UnreachableError(Exception):
    """Raised when the home can't store a request now. The same request can be sent again."""


class BusyError(Exception):
    """Raised when a service has too many requests."""
