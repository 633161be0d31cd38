"""Exceptions of stream_processor, from general to special, each with a stable `code`.

The content of a record never raises one of these: a record that can't be read becomes a bad row.
"""

from typing import ClassVar


class StreamProcessorError(Exception):
    """Base class. Raised by a handler, it makes Lambda retry the batch."""

    code: ClassVar[str] = "stream_processor"


class SettingsError(StreamProcessorError):
    """Raised when an environment variable is missing or invalid."""

    code: ClassVar[str] = "settings"


class SourceError(StreamProcessorError):
    """Raised when an invocation event doesn't come from a supported event source."""

    code: ClassVar[str] = "source"


class StorageError(StreamProcessorError):
    """Raised when a call of S3, DynamoDB or a stream failed after the SDK's own retries."""

    code: ClassVar[str] = "storage"


class MissingObjectError(StorageError):
    """Raised when an object that a command or an entry of a log needs doesn't exist."""

    code: ClassVar[str] = "missing_object"


class MigrationError(StreamProcessorError):
    """Raised when a shard has objects of a version before the numbered logs, and no end of them."""

    code: ClassVar[str] = "migration"


class ObjectMetadataError(StorageError):
    """Raised when an object in the lake has no valid summary in its metadata."""

    code: ClassVar[str] = "object_metadata"


class ConservationError(StreamProcessorError):
    """Raised before a write when rows in = good + bad + duplicate = rows written doesn't hold."""

    code: ClassVar[str] = "conservation"


class UnfinishedError(StreamProcessorError):
    """Raised when a batch isn't finished and its mapping accepts no partial response (Kafka)."""

    code: ClassVar[str] = "unfinished"
