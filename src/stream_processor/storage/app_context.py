"""The settings, buckets and tables that handlers and repair commands share."""

from dataclasses import dataclass
from typing import Any

from stream_processor.settings import Settings
from stream_processor.storage.dynamodb import Table
from stream_processor.storage.s3 import Bucket
from stream_processor.storage.suppression import Suppression


@dataclass(frozen=True, slots=True)
class AppContext:
    """AWS resources of one process. Tests build it over fakes."""

    settings: Settings
    lake: Bucket
    checkpoints: Table
    live: Table
    appointments: Table
    failures: Bucket
    #: A client of AWS Glue; None for that of the process.
    glue: Any = None
    #: None without the list of suppressed persons.
    suppression: Suppression | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "AppContext":
        """Return the context of the buckets and tables that the settings name."""
        return cls(
            settings,
            Bucket(settings.lake_bucket),
            Table(settings.checkpoints_table),
            Table(settings.live_table),
            Table(settings.appointments_table),
            Bucket(settings.failures_bucket),
            suppression=Suppression.of(settings),
        )
