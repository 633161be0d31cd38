"""What can end the poller, or a mapping in it."""

from local.errors import LocalError


class PollerError(LocalError):
    """The root of this room. `code` is stable; the text is the sentence that a person reads."""

    code = "poller"


class EmulatorGoneError(PollerError):
    """Raised when the endpoint has not answered at all for too long."""

    code = "emulator_gone"


class MappingError(PollerError):
    """Raised when a mapping's settings break AWS's bounds, so that it cannot be run."""

    code = "mapping_invalid"


class ResumeError(PollerError):
    """Raised when the state directory holds a file that is not the poller's."""

    code = "state_unreadable"
