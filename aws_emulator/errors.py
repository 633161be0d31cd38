"""What ends a local command: one clear sentence and a non-zero exit."""


class CommandError(Exception):
    """Raised when a local command cannot go on. Its text is the sentence that a person reads."""
