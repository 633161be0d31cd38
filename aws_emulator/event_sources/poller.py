"""The poller: it watches the mappings of its regions, and runs those that are enabled."""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from aws_emulator.event_sources import filters
from aws_emulator.event_sources.checkpoints import CheckpointStore, write_whole
from aws_emulator.event_sources.clients import Clients, domain_errors
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

CHECKPOINT_FILE = "poller-checkpoints.json"
#: Seconds between two looks at the mappings: a change is noticed within one.
LIST_MAPPINGS_INTERVAL_S = 0.5
#: Seconds without any answer after which the emulator counts as dead.
MAX_UNREACHABLE_S = 10.0
#: Seconds between two writes of the state while records flow.
WRITE_INTERVAL_S = 0.1
#: Seconds that a stop waits for what is under way: in order, and when nobody will answer.
STOP_TIMEOUT_S, ENDPOINT_DOWN_STOP_TIMEOUT_S = 10.0, 1.0


class Backend(Protocol):
    """What the poller needs of AWS."""

    def mappings(self, region: str) -> list[dict[str, Any]]:
        """The entries of ListEventSourceMappings for streams. Raises PollerError."""

    def stream(self, config: EventSourceMapping) -> Stream:
        """The stream of a mapping."""

    @property
    def target(self) -> Target:
        """Where batches go."""


class AwsBackend:
    """AWS's public APIs at one endpoint."""

    def __init__(self, endpoint: str) -> None:
        self._clients = Clients(endpoint)
        self._target = LambdaTarget(self._clients)

    @property
    def target(self) -> Target:
        return self._target

    def mappings(self, region: str) -> list[dict[str, Any]]:
        with domain_errors():
            pages = self._clients.lambda_control(region).get_paginator("list_event_source_mappings")
            listed: list[dict[str, Any]] = [
                dict(entry) for page in pages.paginate() for entry in page["EventSourceMappings"]
            ]
        return [entry for entry in listed if _is_stream(entry.get("EventSourceArn", ""))]

    def stream(self, config: EventSourceMapping) -> Stream:
        return open_stream(self._clients, config)


class Poller:
    """All mappings of all regions. `run` returns after `stop`, or raises EmulatorGoneError."""

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
        self._writing = threading.Event()
        self._broken: PollerError | None = None
        self._answered = time.monotonic()
        self._last_errors: dict[str, str] = {}

    def stop(self) -> None:
        """End in order: what is under way is waited for, and the state is written."""
        self._stopping.set()

    def run(self) -> None:
        """Poll until told to stop. Raises EmulatorGoneError, or StateError where the disk fails."""
        self._answered = time.monotonic()
        writer = threading.Thread(target=self._write_until_told, name="state", daemon=True)
        writer.start()
        grace = STOP_TIMEOUT_S
        try:
            while not self._stopping.is_set() and not self._broken:
                self._look()
                self._stopping.wait(LIST_MAPPINGS_INTERVAL_S)
        except EndpointDownError:
            grace = ENDPOINT_DOWN_STOP_TIMEOUT_S
            raise
        finally:
            self._wind_down(grace)
            self._writing.set()
            writer.join()
        if self._broken:
            raise self._broken

    # --- watching ---------------------------------------------------------------------------------

    def _look(self) -> None:
        for region in self._regions:
            try:
                documents = self._backend.mappings(region)
            except PollerError as error:
                self._no_list(region, error)
                continue
            self._answered = time.monotonic()
            self._last_errors.pop(region, None)
            self._follow(region, documents)
        try:
            for poller in list(self._pollers.values()):
                if not self._stopping.is_set():
                    poller.tick()
        except UnreachableError:
            # Each wait for nobody takes seconds: the next look at the mappings tells who is there.
            return

    def _no_list(self, region: str, error: PollerError) -> None:
        # A region that refuses is alive: its mappings go on with what they have.
        if not isinstance(error, UnreachableError):
            self._answered = time.monotonic()
        if self._last_errors.get(region) != str(error):
            self._last_errors[region] = str(error)
            self._json_log.write("list_mappings_failed", region=region, reason=str(error))
        silent = time.monotonic() - self._answered
        if silent >= MAX_UNREACHABLE_S:
            raise EndpointDownError(
                f"The poller stops: the emulator has not answered for {silent:.0f} seconds."
            )

    def _follow(self, region: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """Bring what runs in line with what is listed."""
        wanted: dict[str, EventSourceMapping] = {}
        listed = set()
        for document in documents:
            key = mapping_key(region, str(document.get("UUID")))
            listed.add(key)
            if config := self._config(key, document):
                wanted[key] = config
        for key, poller in list(self._pollers.items()):
            if not key.startswith(f"{region}/"):
                continue
            if wanted.get(key) != poller.config:
                poller.stop()
                if poller.stopped:
                    self._pollers.pop(key)
                    self._log_mapping("mapping_stop", poller.config)
        for key, config in wanted.items():
            if key not in self._pollers:
                self._begin(key, config)
        # "A new mapping starts from its StartingPosition": a deleted one leaves nothing behind.
        for key in {*self._store.mappings(), *self._invalid}:
            if key.startswith(f"{region}/") and key not in listed and key not in self._pollers:
                self._store.drop(key)
                self._invalid.pop(key, None)

    def _config(self, key: str, document: Mapping[str, Any]) -> EventSourceMapping | None:
        """The settings of a mapping that is to run."""
        # "Enabled: Set to true to enable the event source mapping. Set to false to stop processing
        # records." (with-kinesis) While a change of settings is applied, records still flow.
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

    def _begin(self, key: str, config: EventSourceMapping) -> None:
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

    def _write_until_told(self) -> None:
        last = ""
        written = 0.0
        while True:
            over = self._writing.wait(WRITE_INTERVAL_S)
            mappings = [poller.status() for poller in list(self._pollers.values())]
            mappings += list(self._invalid.values())
            now = repr(mappings)
            try:
                self._store.flush()
                if now != last or over or time.monotonic() - written >= 1.0:
                    last, written = now, time.monotonic()
                    document = {"updated_at": round(time.time(), 3), "mappings": mappings}
                    write_whole(self._state / STATUS_FILE, document)
            except PollerError as error:
                self._broken = error
                return
            if over:
                return

    def _wind_down(self, grace: float) -> None:
        for poller in self._pollers.values():
            poller.stop()
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and not all(
            poller.stopped for poller in self._pollers.values()
        ):
            time.sleep(0.02)
        self._json_log.write("stop", clean=all(r.stopped for r in self._pollers.values()))


def _is_stream(arn: str) -> bool:
    return arn.startswith("arn:") and arn.split(":")[2] in {"kinesis", "dynamodb"}
