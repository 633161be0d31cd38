"""The errors of this room, from general to special. Each has a stable `code`.

Nothing here is raised for what a record says: a record that cannot be read becomes a bad row.
"""

from typing import ClassVar


class StreamProcessorError(Exception):
    """Raised when an invocation cannot go on. AWS delivers its records again."""

    code: ClassVar[str] = "stream_processor"


class SettingsError(StreamProcessorError):
    """Raised when the environment lacks a setting or holds one that cannot be meant."""

    code: ClassVar[str] = "settings"


class SourceError(StreamProcessorError):
    """Raised when an invocation event is of no known shape."""

    code: ClassVar[str] = "source"


class StorageError(StreamProcessorError):
    """Raised when S3 or DynamoDB did not do what was asked, after the client's own retries."""

    code: ClassVar[str] = "storage"


class ObjectMetadataError(StorageError):
    """Raised when an object of the lake does not say what it holds, so it cannot be adopted."""

    code: ClassVar[str] = "object_metadata"


class ConservationError(StreamProcessorError):
    """Raised before anything is written when in = good + bad + duplicate does not hold."""

    code: ClassVar[str] = "conservation"


class UnfinishedError(StreamProcessorError):
    """Raised when part of a batch is left, and its source knows no partial answer (Kafka)."""

    code: ClassVar[str] = "unfinished"
