"""The error that ends a command with one message on standard error and exit code 1."""


class CommandError(Exception):
    """Raised when a command cannot continue. Its text is the complete message for the user."""
