"""The Lambda@Edge handler for origin-request events.

Input: CloudFront's origin-request event. Output: a generated response, so CloudFront never calls
the origin for these paths. A request for a page of the portal goes on to the origin.
"""

import os
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, Protocol

from edge_ingest import cold_start, crawlers, responses, routes, tls
from edge_ingest import settings as settings_module
from edge_ingest.collector import Collector
from edge_ingest.delivery import Delivery
from edge_ingest.errors import SettingsError
from edge_ingest.kinesis import KinesisClient, endpoint_of
from edge_ingest.sources import SnapshotFetch

# Lambda@Edge doesn't support environment variables, so the deployment adds a file to the package.
_SETTINGS_FILE: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "settings.json")  # noqa: PTH118, PTH120 - pathlib is slow to import


class LambdaContext(Protocol):
    """The part of the Lambda context object that the handler uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function times out."""


@lru_cache(maxsize=1)
def collector() -> Collector:
    """Return the collector, created from `settings.json` on the first call.

    Raises:
        SettingsError: `settings.json` is missing or invalid.
    """
    try:
        with open(_SETTINGS_FILE, encoding="utf-8") as file:  # noqa: PTH123 - see above
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("settings.json", "can't be read as UTF-8 text") from error
    settings = settings_module.load(text)
    edge_region = os.environ.get("AWS_REGION", "")
    connect = tls.Connector()
    delivery = Delivery(KinesisClient(connect), settings.stream, settings.regions, edge_region)
    fetch = SnapshotFetch(connect, time.time)
    return Collector(settings, delivery, edge_region, fetch=fetch, logs_first=True)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the response to one request, after a stream acknowledged its events.

    A request for a page is returned unchanged, which sends it to the origin, even if the
    collector's settings are invalid.
    """
    request: dict[str, Any] = event["Records"][0]["cf"]["request"]
    if routes.is_page(request["method"], request["uri"]):
        return request
    try:
        ready = collector()
    except SettingsError as error:
        return responses.misconfigured(error)
    return ready.handle(event, context.get_remaining_time_in_millis() / 1000)


def _warm_up() -> None:
    """Do the CPU-intensive setup during Lambda's init phase.

    Lambda runs the init phase with a full vCPU and invocations with a share that depends on the
    memory size, so creating a TLS context during an invocation would take many times longer.
    """
    with suppress(SettingsError):  # the handler reports it in the response to each request
        collector()
    crawlers.load()
    if endpoint_of("us-east-1").tls:
        tls.ssl_context(all_roots=False)


# Only in the Lambda runtime: tests and tools import this module without the setup.
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _warm_up()
cold_start.end()
