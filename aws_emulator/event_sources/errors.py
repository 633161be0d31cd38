"""What can end the poller, a mapping in it, or a read."""

from aws_emulator.errors import CommandError


class PollerError(CommandError):
    """The root of this room. `code` is stable; the text is the sentence that a person reads."""

    code = "poller"


class EndpointDownError(PollerError):
    """Raised when the endpoint has not answered at all for too long."""

    code = "emulator_gone"


class InvalidMappingError(PollerError):
    """Raised when a mapping's settings break AWS's bounds, so that it cannot be run."""

    code = "mapping_invalid"


class StateError(PollerError):
    """Raised when the state directory cannot be used, or its file is not the poller's."""

    code = "state_unusable"


class UnreachableError(PollerError):
    """Raised when a call got no answer at all: no connection, or none in time."""

    code = "unreachable"


class ServiceError(PollerError):
    """Raised when a service refuses a call; it may accept it later."""

    code = "service"


class StreamNotFoundError(ServiceError):
    """Raised when a stream or a shard is no longer there."""

    code = "source_gone"


class ExpiredIteratorError(ServiceError):
    """Raised when a shard iterator is too old to be read from."""

    code = "iterator_expired"


class TrimmedDataError(ServiceError):
    """Raised when the position asked for has outlived the stream's retention."""

    code = "trimmed"
