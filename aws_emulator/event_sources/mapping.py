"""The settings of an event source mapping, parsed from the API's shape.

README.md lists how each property of CreateEventSourceMapping is handled.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from aws_emulator.event_sources.errors import InvalidMappingError

SourceKind = Literal["kinesis", "dynamodb"]
Position = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]

#: "Maximum: 10,000" (services-kinesis-parameters, services-ddb-params: BatchSize)
MAX_BATCH_SIZE: Final = 10_000


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """One mapping. Times are in seconds; None represents AWS's -1, "infinite"."""

    uuid: str
    source_arn: str
    function_arn: str
    batch_size: int = 100
    batching_window_s: int = 0
    starting_position: Position = "TRIM_HORIZON"
    starting_timestamp: float | None = None
    filters: tuple[Mapping[str, Any], ...] = ()
    report_batch_item_failures: bool = False
    bisect_batch: bool = False
    max_retry_attempts: int | None = None
    max_record_age_s: int | None = None
    on_failure_destination: str | None = None
    parallelization_factor: int = 1
    tumbling_window_s: int = 0

    @property
    def source_kind(self) -> SourceKind:
        """The service of the event source."""
        return "kinesis" if ":kinesis:" in self.source_arn else "dynamodb"

    @property
    def region(self) -> str:
        """The Region of the stream, which is also the mapping's Region."""
        return self.source_arn.split(":")[3]

    @classmethod
    def from_api(cls, document: Mapping[str, Any]) -> "EventSourceMapping":
        """Parse an entry of ListEventSourceMappings, or a template's properties.

        Raises:
            InvalidMappingError: A value is outside the bounds of CreateEventSourceMapping.
        """
        timestamp = document.get("StartingPositionTimestamp")
        if isinstance(timestamp, dt.datetime):
            timestamp = timestamp.timestamp()
        on_failure = (document.get("DestinationConfig") or {}).get("OnFailure") or {}
        config = cls(
            uuid=str(document.get("UUID", "")),
            source_arn=str(document["EventSourceArn"]),
            function_arn=str(document["FunctionArn"]),
            # services-kinesis-parameters, services-ddb-params: BatchSize has the default 100.
            batch_size=int(document.get("BatchSize") or 100),
            # services-kinesis-parameters: MaximumBatchingWindowInSeconds has the default 0.
            batching_window_s=int(document.get("MaximumBatchingWindowInSeconds") or 0),
            starting_position=document.get("StartingPosition") or "TRIM_HORIZON",
            starting_timestamp=None if timestamp is None else float(timestamp),
            filters=_patterns(document),
            report_batch_item_failures="ReportBatchItemFailures"
            in (document.get("FunctionResponseTypes") or ()),
            bisect_batch=bool(document.get("BisectBatchOnFunctionError")),
            max_retry_attempts=_bounded(document, "MaximumRetryAttempts", 10_000),
            max_record_age_s=_bounded(document, "MaximumRecordAgeInSeconds", 604_800),
            # kinesis-on-failure-destination: "To remove a destination, supply an empty string"
            on_failure_destination=on_failure.get("Destination") or None,
            parallelization_factor=int(document.get("ParallelizationFactor") or 1),
            tumbling_window_s=int(document.get("TumblingWindowInSeconds") or 0),
        )
        config.validate()
        return config

    def validate(self) -> None:
        """Check the bounds of services-kinesis-parameters and services-ddb-params.

        Raises:
            InvalidMappingError: A value is out of bounds.
        """
        bounds = {
            "BatchSize": (self.batch_size, 1, MAX_BATCH_SIZE),
            # "You can configure MaximumBatchingWindowInSeconds to any value from 0 seconds to
            # 300 seconds" (invocation-eventsourcemapping)
            "MaximumBatchingWindowInSeconds": (self.batching_window_s, 0, 300),
            "ParallelizationFactor": (self.parallelization_factor, 1, 10),
            "TumblingWindowInSeconds": (self.tumbling_window_s, 0, 900),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise InvalidMappingError(
                    f"Mapping {self.uuid}: {name} must be from {low} to {high}, not {value}."
                )
        if self.starting_position == "AT_TIMESTAMP" and self.starting_timestamp is None:
            raise InvalidMappingError(
                f"Mapping {self.uuid}: AT_TIMESTAMP requires StartingPositionTimestamp."
            )


def _bounded(document: Mapping[str, Any], name: str, maximum: int) -> int | None:
    # services-kinesis-parameters: "-1 means infinite", "Minimum: -1"
    value = document.get(name)
    if value is None or int(value) == -1:
        return None
    if not 0 <= int(value) <= maximum:
        raise InvalidMappingError(
            f"Mapping {document.get('UUID')}: {name} must be from -1 to {maximum}, not {value}."
        )
    return int(value)


def _patterns(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    filters = (document.get("FilterCriteria") or {}).get("Filters") or ()
    patterns = []
    for entry in filters:
        try:
            pattern = json.loads(entry["Pattern"])
        except (KeyError, ValueError) as error:
            raise InvalidMappingError(
                f"Mapping {document.get('UUID')}: a filter pattern isn't valid JSON."
            ) from error
        if not isinstance(pattern, dict):
            raise InvalidMappingError(
                f"Mapping {document.get('UUID')}: a filter pattern must be a JSON object."
            )
        patterns.append(pattern)
    return tuple(patterns)
