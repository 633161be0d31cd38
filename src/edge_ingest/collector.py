"""The collector's HTTP layer: route the request, run the pipeline, build the response, log it.

`handler` calls `Collector.handle` once per invocation. `pipeline` processes the events.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from edge_ingest import cloudfront_event, request_log, responses, routes, sdk_settings
from edge_ingest.authentication import authenticate, write_keys
from edge_ingest.cloudfront_event import Request
from edge_ingest.delivery import NOTHING_DELIVERED, Delivery
from edge_ingest.errors import IngestError, MethodNotAllowedError
from edge_ingest.pipeline import Pipeline
from edge_ingest.request_log import LogEntry
from edge_ingest.responses import Response
from edge_ingest.routes import Route
from edge_ingest.settings import Settings
from edge_ingest.sources import Fetch, SourceDirectory


class Collector:
    """Handle origin-request events for one deployment's settings."""

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        edge_region: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        print_line: Callable[[str], object] = print,
        fetch: Fetch | None = None,
        *,
        logs_first: bool = False,
    ) -> None:
        """`fetch` reads the snapshot of the sources, if the settings have one.

        `logs_first`: the first request is logged as a cold start.
        """
        self._is_cold = logs_first
        self._settings = settings
        self._sources = SourceDirectory(settings, fetch, clock)
        self._pipeline = Pipeline(settings, self._sources, delivery, edge_region, clock, monotonic)
        self._monotonic = monotonic
        self._print_line = print_line

    def handle(self, event: dict[str, Any], seconds_left: float) -> Response:
        """Return the response to an origin-request event. Errors become responses too.

        `seconds_left` is the time until the function times out.
        """
        started = self._monotonic()
        request = cloudfront_event.parse_request(event)
        kind = "other"
        try:
            route = routes.match(request.path)
            kind = route.kind
            response, entry = self._dispatch(route, request, started + seconds_left)
        except IngestError as error:
            response = responses.error_response(error, request, kind)
            entry = LogEntry(responses.status_of(error), error.code, kind)
        is_cold, self._is_cold = self._is_cold, False
        if is_cold or request_log.is_wanted(entry, self._settings.log_sample):
            milliseconds = int((self._monotonic() - started) * 1000)
            request_log.write(
                msgspec.structs.replace(
                    entry, cold=is_cold, milliseconds=milliseconds, request_id=request.request_id
                ),
                self._print_line,
            )
        return response

    def _dispatch(
        self, route: Route, request: Request, deadline: float
    ) -> tuple[Response, LogEntry]:
        if request.method == "OPTIONS":
            return responses.preflight(request), LogEntry(200, "preflight", route.kind)
        if request.method not in route.methods:
            raise MethodNotAllowedError("method_not_allowed", f"use {' or '.join(route.methods)}")
        query = cloudfront_event.parse_query(request.query)
        if route.kind in ("project_settings", "source_config"):
            return self._sdk_settings(route, request, query)
        return self._ingest(route, request, query, deadline)

    def _ingest(
        self, route: Route, request: Request, query: dict[str, str], deadline: float
    ) -> tuple[Response, LogEntry]:
        ingested = self._pipeline.ingest(route, request, query, deadline)
        delivered = ingested.delivered or NOTHING_DELIVERED
        entry = LogEntry(
            200,
            "ok",
            route.kind,
            ingested.source_id,
            accepted=ingested.accepted,
            rejected=len(ingested.rejected),
            records=delivered.records,
            bytes=delivered.bytes,
            region=delivered.region,
            failover=delivered.failover,
            shard=delivered.shard,
            sequence=delivered.sequence,
        )
        return responses.ingest_response(ingested, request, route.kind), entry

    def _sdk_settings(
        self, route: Route, request: Request, query: dict[str, str]
    ) -> tuple[Response, LogEntry]:
        keys = [route.write_key] if route.write_key else write_keys(request, query)
        source = authenticate(self._sources.current(request.domain).find, keys)
        if route.kind == "source_config":
            document = sdk_settings.source_config(source)
        else:
            document = sdk_settings.project_settings(source, request)
        entry = LogEntry(200, "config", route.kind, source.id)
        return responses.sdk_settings_response(document), entry
