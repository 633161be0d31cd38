"""The errors that end a command with one message on standard error and exit code 1."""


class CommandError(Exception):
    """Raised when a command cannot continue. Its text is the complete message for the user."""


class UnavailableError(CommandError):
    """Raised when a control plane fails (5xx) or isn't reachable; the resource may exist."""
