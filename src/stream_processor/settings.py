"""Settings of both functions and of the repair commands, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from stream_processor.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Settings:
    """Typed settings, validated once per process.

    `window_seconds`, `window_objects` and `window_ids` limit the deduplication window of a shard;
    `object_events` and `object_bytes` (of inflated JSON) limit one object in memory.
    `adopted_region`: the lost Region whose changes of appointments this Region exports, too; or ''.
    `snapshot_bucket`: the one with the collector's snapshot of suppressed persons; or ''.
    `events_retention_days`: 0 if events are stored for ever.
    `kafka_partial_response`: Kafka's event source mapping has `ReportBatchItemFailures`.
    """

    lake_bucket: str
    failures_bucket: str
    checkpoints_table: str
    live_table: str
    appointments_table: str
    region: str
    stage: str
    retention_hours: int = 168
    live_hours: int = 48
    live_pages: int = 200
    window_seconds: int = 1_800
    window_objects: int = 128
    window_ids: int = 200_000
    object_events: int = 20_000
    object_bytes: int = 128 * 1024 * 1024
    reconcile_grace_seconds: int = 120
    kafka_partial_response: bool = False
    adopted_region: str = ""
    snapshot_bucket: str = ""
    events_retention_days: int = 0

    def first_stored(self, today: date) -> date | None:
        """Return the first date whose events S3 still stores; None if it deletes none.

        S3 deletes an object at the midnight after so many days ("Expiring objects").
        """
        if not self.events_retention_days:
            return None
        return today - timedelta(days=self.events_retention_days)

    @property
    def exported_regions(self) -> frozenset[str]:
        """The values of `origin_region` whose items this Region exports."""
        return frozenset({self.region, self.adopted_region} - {""})


_TEXTS: Final = {
    "lake_bucket": "LAKE_BUCKET",
    "failures_bucket": "FAILURES_BUCKET",
    "checkpoints_table": "CHECKPOINTS_TABLE",
    "live_table": "LIVE_TABLE",
    "appointments_table": "APPOINTMENTS_TABLE",
    "region": "AWS_REGION",
    "stage": "STAGE",
}
#: Field: environment variable, minimum, maximum.
_NUMBERS: Final = {
    "retention_hours": ("RETENTION_HOURS", 1, 8_760),
    "events_retention_days": ("EVENTS_RETENTION_DAYS", 0, 3_650),
    "live_hours": ("LIVE_HOURS", 1, 8_760),
    "live_pages": ("LIVE_PAGES", 1, 1_000),
    "window_seconds": ("WINDOW_SECONDS", 0, 86_400),
    "window_objects": ("WINDOW_OBJECTS", 0, 1_000),
    "window_ids": ("WINDOW_IDS", 0, 2_000_000),
    "object_events": ("OBJECT_EVENTS", 1, 1_000_000),
    "object_bytes": ("OBJECT_BYTES", 1, 1024 * 1024 * 1024),
    "reconcile_grace_seconds": ("RECONCILE_GRACE_SECONDS", 0, 600),
}


def parse(environment: Mapping[str, str]) -> Settings:
    """Parse the settings from environment variables.

    Raises:
        SettingsError: A variable is missing or out of range; the message names it.
    """
    texts: dict[str, str] = {}
    for field, variable in _TEXTS.items():
        value = environment.get(variable, "").strip()
        if not value:
            raise SettingsError(f"Environment variable {variable} is missing or empty.")
        texts[field] = value
    numbers: dict[str, int] = {}
    for field, (variable, least, most) in _NUMBERS.items():
        text = environment.get(variable)
        if text is None:
            continue
        if not text.isdecimal() or not least <= int(text) <= most:
            raise SettingsError(
                f"Environment variable {variable} must be an integer from {least} to {most}."
            )
        numbers[field] = int(text)
    partial_response = environment.get("KAFKA_PARTIAL_RESPONSE", "false")
    if partial_response not in ("true", "false"):
        raise SettingsError("Environment variable KAFKA_PARTIAL_RESPONSE must be true or false.")
    flags = {"kafka_partial_response": partial_response == "true"}
    texts["adopted_region"] = environment.get("ADOPTED_REGION", "").strip()
    texts["snapshot_bucket"] = environment.get("SNAPSHOT_BUCKET", "").strip()
    return Settings(**texts, **numbers, **flags)  # type: ignore[arg-type] # two dicts, one of str, one of int
