"""Errors of the poller, from general to specific. `code` is stable and appears in the log."""

from aws_emulator.errors import CommandError


class PollerError(CommandError):
    """Base class of the poller's errors. Its text is a sentence for the operator."""

    code = "poller"


class EndpointDownError(PollerError):
    """Raised when the endpoint has refused or not answered every call for too long."""

    code = "endpoint_down"


class InvalidMappingError(PollerError):
    """Raised when a mapping has a setting that AWS refuses or that isn't supported."""

    code = "mapping_invalid"


class StateError(PollerError):
    """Raised when the state directory isn't writable, or a file in it has an unknown format."""

    code = "state_unusable"


class UnreachableError(PollerError):
    """Raised when one call gets no response: the connection failed or timed out.

    `refused` tells that nothing listens at the address. A busy endpoint accepts connections, and
    answers later than the call waits.
    """

    code = "unreachable"

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class ServiceError(PollerError):
    """Raised when a service responds with an error. A later call can succeed."""

    code = "service"


class StreamNotFoundError(ServiceError):
    """Raised when a stream or a shard doesn't exist, or was deleted."""

    code = "stream_not_found"


class ExpiredIteratorError(ServiceError):
    """Raised when a shard iterator is older than five minutes."""

    code = "expired_iterator"


class TrimmedDataError(ServiceError):
    """Raised when the requested sequence number is older than the stream's retention period."""

    code = "trimmed_data"
