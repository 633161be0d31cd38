"""The poller: lists the mappings of its Regions, and runs a `MappingPoller` for each enabled one.

It writes the checkpoints and the status file to its state directory. `__main__` runs it.
"""

import json
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from aws_emulator.event_sources import filters
from aws_emulator.event_sources.checkpoints import CheckpointStore, replace_json_file
from aws_emulator.event_sources.clients import CONTROL_TIMEOUT_S, Clients, domain_errors
from aws_emulator.event_sources.errors import (
    EndpointDownError,
    InvalidMappingError,
    PollerError,
    UnreachableError,
)
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.mapping_poller import MappingPoller, mapping_key
from aws_emulator.event_sources.status import STATUS_FILE
from aws_emulator.event_sources.streams import Stream, open_stream
from aws_emulator.event_sources.target import LambdaTarget, Target
from aws_emulator.metrics import Metrics

CHECKPOINT_FILE: Final = "poller-checkpoints.json"
#: Seconds between two ListEventSourceMappings calls.
LIST_MAPPINGS_INTERVAL_S: Final = 1.0
#: Seconds of refused connections after which the poller ends with EndpointDownError.
MAX_REFUSED_S: Final = 10.0
#: The same for an endpoint that accepts connections and doesn't answer: a busy machine is slow.
MAX_UNREACHABLE_S: Final = 300.0
#: Seconds between two writes of the checkpoints.
WRITE_INTERVAL_S: Final = 0.1
#: Seconds that a stop waits for running invocations, normally and after EndpointDownError.
STOP_TIMEOUT_S: Final = 10.0
ENDPOINT_DOWN_STOP_TIMEOUT_S: Final = 1.0


class Backend(Protocol):
    """The AWS calls that the poller makes."""

    def regions(self) -> list[str]:
        """Return the Regions with event source mappings, if the endpoint is the emulator's."""

    def mappings(self, region: str) -> list[dict[str, Any]]:
        """Return the entries of ListEventSourceMappings for streams.

        Raises:
            ServiceError: Lambda returned an error.
            UnreachableError: The endpoint didn't respond.
        """

    def stream(self, config: EventSourceMapping) -> Stream:
        """Return the stream of a mapping."""

    @property
    def target(self) -> Target:
        """The functions and on-failure destinations."""


class AwsBackend:
    """AWS's public APIs at one endpoint URL."""

    def __init__(self, endpoint: str) -> None:
        self._clients = Clients(endpoint)
        self._target = LambdaTarget(self._clients, Metrics(endpoint))

    @property
    def target(self) -> Target:
        """The client that invokes functions and sends to destinations."""
        return self._target

    def regions(self) -> list[str]:
        """Return the Regions with event source mappings, if the endpoint is the emulator's."""
        url = f"{self._clients.endpoint}/_local/event-source-regions"
        try:
            with urllib.request.urlopen(url, timeout=CONTROL_TIMEOUT_S) as response:
                return [str(it) for it in json.load(response)]
        except (OSError, ValueError):
            return []  # the calls to Lambda report an endpoint that doesn't answer

    def mappings(self, region: str) -> list[dict[str, Any]]:
        """Return the event source mappings of a Region.

        Raises:
            ServiceError: Lambda returned an error.
            UnreachableError: The endpoint didn't respond.
        """
        with domain_errors():
            pages = self._clients.lambda_control(region).get_paginator("list_event_source_mappings")
            entries: list[dict[str, Any]] = [
                dict(entry) for page in pages.paginate() for entry in page["EventSourceMappings"]
            ]
        return [entry for entry in entries if _is_stream(entry.get("EventSourceArn", ""))]

    def stream(self, config: EventSourceMapping) -> Stream:
        """Return a client of the mapping's stream."""
        return open_stream(self._clients, config)


class Poller:
    """Run the enabled mappings of all Regions. `stop` may be called from any thread.

    `regions` are polled from the start, and each further Region as soon as it has a mapping.
    """

    def __init__(
        self, backend: Backend, regions: Sequence[str], state: Path, json_log: JsonLog
    ) -> None:
        self._backend = backend
        self._regions = regions
        self._state = state
        self._json_log = json_log
        self._store = CheckpointStore(state / CHECKPOINT_FILE)
        self._pollers: dict[str, MappingPoller] = {}
        self._invalid: dict[str, dict[str, Any]] = {}
        self._stopping = threading.Event()
        self._run_ended = threading.Event()
        self._write_error: PollerError | None = None
        #: The last response, and the last call that was not refused.
        self._last_response = self._last_accepted = time.monotonic()
        self._last_errors: dict[str, str] = {}

    def stop(self) -> None:
        """Ask `run` to return: it waits for running invocations and writes the state."""
        self._stopping.set()

    def run(self) -> None:
        """Poll until `stop` is called.

        Raises:
            EndpointDownError: The endpoint refused connections for MAX_REFUSED_S, or did not
                respond for MAX_UNREACHABLE_S.
            StateError: The state directory isn't writable.
        """
        self._last_response = self._last_accepted = time.monotonic()
        writer = threading.Thread(target=self._write_state, name="state", daemon=True)
        writer.start()
        timeout = STOP_TIMEOUT_S
        try:
            while not self._stopping.is_set() and not self._write_error:
                self._poll_mappings()
                self._stopping.wait(LIST_MAPPINGS_INTERVAL_S)
        except EndpointDownError:
            timeout = ENDPOINT_DOWN_STOP_TIMEOUT_S
            raise
        finally:
            self._stop_mappings(timeout)
            self._run_ended.set()
            writer.join()
        if self._write_error:
            raise self._write_error

    # --- watching ---------------------------------------------------------------------------------

    def _poll_mappings(self) -> None:
        for region in dict.fromkeys((*self._regions, *self._backend.regions())):
            try:
                documents = self._backend.mappings(region)
            except PollerError as error:
                self._handle_list_error(region, error)
                continue
            self._last_response = self._last_accepted = time.monotonic()
            self._last_errors.pop(region, None)
            self._reconcile(region, documents)
        try:
            for poller in list(self._pollers.values()):
                if not self._stopping.is_set():
                    poller.tick()
        except UnreachableError:
            # Each call takes seconds to time out. The next ListEventSourceMappings call decides
            # whether the endpoint is down.
            return

    def _handle_list_error(self, region: str, error: PollerError) -> None:
        # An error response proves that the endpoint is up: the Region's mappings continue.
        if not isinstance(error, UnreachableError):
            self._last_response = time.monotonic()
        if self._last_errors.get(region) != str(error):
            self._last_errors[region] = str(error)
            self._json_log.write("list_mappings_failed", region=region, reason=str(error))
        now = time.monotonic()
        refused = isinstance(error, UnreachableError) and error.refused
        if not refused:
            self._last_accepted = now
        silent = now - self._last_response
        if silent >= MAX_UNREACHABLE_S or now - self._last_accepted >= MAX_REFUSED_S:
            raise EndpointDownError(
                f"The endpoint has not answered for {silent:.0f} seconds. Check that it is running."
            )

    def _reconcile(self, region: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """Start, stop and restart mapping pollers to match the listed mappings."""
        configs: dict[str, EventSourceMapping] = {}
        existing = set()
        for document in documents:
            key = mapping_key(region, str(document.get("UUID")))
            existing.add(key)
            if config := self._config(key, document):
                configs[key] = config
        for key, poller in list(self._pollers.items()):
            if not key.startswith(f"{region}/"):
                continue
            # A mapping that was enabled again in the meantime starts anew after the end.
            if poller.stopping or configs.get(key) != poller.config:
                poller.stop()
                if poller.stopped:
                    self._pollers.pop(key)
                    self._log_mapping("mapping_stop", poller.config)
        for key, config in configs.items():
            if key not in self._pollers:
                self._start(key, config)
        # A new mapping starts from its StartingPosition: drop the checkpoints of deleted mappings.
        for key in {*self._store.mappings(), *self._invalid}:
            if key.startswith(f"{region}/") and key not in existing and key not in self._pollers:
                self._store.drop(key)
                self._invalid.pop(key, None)

    def _config(self, key: str, document: Mapping[str, Any]) -> EventSourceMapping | None:
        """Return the settings of an enabled, valid mapping; otherwise None."""
        # "Enabled: Set to true to enable the event source mapping. Set to false to stop processing
        # records." (with-kinesis) Processing continues while an update is applied.
        if document.get("State") not in {"Enabled", "Updating"}:
            self._invalid.pop(key, None)
            return None
        try:
            config = EventSourceMapping.from_api(document)
            filters.validate(config)
        except InvalidMappingError as error:
            if key not in self._invalid:
                self._json_log.write("mapping_invalid", mapping=key, reason=str(error))
            self._invalid[key] = {
                "region": key.split("/", maxsplit=1)[0],
                "uuid": document.get("UUID"),
                "source_arn": document.get("EventSourceArn"),
                "function_arn": document.get("FunctionArn"),
                "state": "invalid",
                "shards": [],
            }
            return None
        self._invalid.pop(key, None)
        return config

    def _start(self, key: str, config: EventSourceMapping) -> None:
        self._pollers[key] = MappingPoller(
            config,
            self._backend.stream(config),
            self._backend.target,
            self._store,
            self._json_log,
        )
        self._log_mapping("mapping_start", config)

    def _log_mapping(self, event: str, config: EventSourceMapping) -> None:
        self._json_log.write(
            event,
            mapping=config.uuid,
            region=config.region,
            event_source=config.source_arn,
            function=config.function_arn,
        )

    # --- state ------------------------------------------------------------------------------------

    def _write_state(self) -> None:
        last = ""
        written = 0.0
        while True:
            over = self._run_ended.wait(WRITE_INTERVAL_S)
            mappings = [poller.status() for poller in list(self._pollers.values())]
            mappings += list(self._invalid.values())
            now = repr(mappings)
            try:
                self._store.flush()
                if now != last or over or time.monotonic() - written >= 1.0:
                    last, written = now, time.monotonic()
                    document = {"updated_at": round(time.time(), 3), "mappings": mappings}
                    replace_json_file(self._state / STATUS_FILE, document)
            except PollerError as error:
                self._write_error = error
                return
            if over:
                return

    def _stop_mappings(self, timeout: float) -> None:
        for poller in self._pollers.values():
            poller.stop()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and not all(
            poller.stopped for poller in self._pollers.values()
        ):
            time.sleep(0.02)
        self._json_log.write("stop", clean=all(r.stopped for r in self._pollers.values()))


def _is_stream(arn: str) -> bool:
    return arn.startswith("arn:") and arn.split(":")[2] in {"kinesis", "dynamodb"}
