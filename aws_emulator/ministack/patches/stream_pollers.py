"""Leave Kinesis and DynamoDB Streams event source mappings to aws_emulator.event_sources.

Gap: MiniStack's pollers ignore partial batch failures, bisection, retries, record age, destinations
and batching windows, and a batch that keeps failing blocks its shard forever.
Seen in: ministack 1.5.33, lambda_svc.py, _poll_kinesis and _poll_dynamodb_streams.
Delete when: the pollers obey these settings as AWS documents them.

GET /_local/event-source-regions lists the Regions with event source mappings, for the poller.
"""

from typing import Any

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Disable both pollers. MiniStack keeps polling SQS mappings."""
    service = Symbols(
        "ministack.services.lambda_svc", "_esms", "_poll_kinesis", "_poll_dynamodb_streams"
    )

    def regions(_query: Query) -> list[str]:
        # The keys are (account, Region, UUID).
        return sorted({region for _, region, _ in list(service["_esms"]._data)})  # noqa: SLF001

    control.add("GET", "/_local/event-source-regions", regions)
    service["_poll_kinesis"] = lambda: False
    service["_poll_dynamodb_streams"] = lambda: False
