"""Send events to the collector as an SDK does: retry each batch until the collector accepts it."""

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.chaos.plan import Plan
from tools.replay.http_client import Client, ConnectionLostError, Response
from tools.replay.sender import authorization

BATCH_EVENTS: Final = 25
#: The share of batches that the sender repeats after a 200 response.
REPEATED_SHARE: Final = 0.1
CLIENTS: Final = 4
DELIVERY_TIMEOUT_S: Final = 60.0
RETRY_INTERVAL_S: Final = 0.25

type Event = dict[str, Any]
type Body = dict[str, list[Event]]


@dataclass
class SentEvents:
    """The collector's responses.

    `accepted` and `rejected` are message ids. `rejections` counts rejected entries in responses.
    `unanswered` counts requests without a 200 response, which the collector may have stored.
    """

    accepted: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    rejections: int = 0
    requests: int = 0
    repeated: int = 0
    unanswered: int = 0


class EventSender:
    """Send the plan's events: call `start`, `finish`, then `send_reserved`."""

    def __init__(self, plan: Plan, write_key: str, make_client: Callable[[], Client]) -> None:
        self.sent = SentEvents()
        self._plan = plan
        self._headers = {
            "Authorization": authorization(write_key),
            "Content-Type": "application/json",
        }
        self._bodies = list(request_bodies(plan))
        self._reserved = max(1, round(len(self._bodies) * plan.reserved_share))
        self._make_client = make_client
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="event-sender")
        self._futures: list[Future[None]] = []

    def start(self) -> None:
        """Start sending in the background, spread over the plan's duration."""
        bodies = self._bodies[: -self._reserved]
        pause = self._plan.seconds * CLIENTS / len(self._bodies)
        self._futures = [
            self._pool.submit(self._send, bodies[number::CLIENTS], pause)
            for number in range(CLIENTS)
        ]

    def finish(self) -> None:
        """Wait until all batches but the reserved ones are accepted.

        Raises:
            CommandError: The collector didn't accept them in time.
        """
        try:
            for future in self._futures:
                future.result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def send_reserved(self) -> None:
        """Send the reserved batches.

        Raises:
            CommandError: The collector didn't accept them.
        """
        self._send(self._bodies[-self._reserved :], pause=0)

    def _send(self, bodies: list[Body], pause: float) -> None:
        client = self._make_client()
        rng = random.Random(self._plan.seed)  # noqa: S311 - not a secret
        try:
            for body in bodies:
                began = time.monotonic()
                self._deliver(client, body)
                if rng.random() < REPEATED_SHARE:
                    self._deliver(client, body, repeated=True)
                time.sleep(max(0.0, pause - (time.monotonic() - began)))
        finally:
            client.close()

    def _deliver(self, client: Client, body: Body, *, repeated: bool = False) -> None:
        deadline = time.monotonic() + DELIVERY_TIMEOUT_S
        while (response := self._post(client, body)) is None:
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The collector didn't accept a batch within {DELIVERY_TIMEOUT_S:.0f} s."
                )
            time.sleep(RETRY_INTERVAL_S)
        rejected = json.loads(response.body).get("rejected") or []
        indexes = {entry["index"] for entry in rejected}
        ids = [event["messageId"] for event in body["batch"]]
        with self._lock:
            self.sent.accepted |= {it for n, it in enumerate(ids) if n not in indexes}
            self.sent.rejected |= {it for n, it in enumerate(ids) if n in indexes}
            self.sent.rejections += len(indexes)
            self.sent.requests += 1
            self.sent.repeated += repeated

    def _post(self, client: Client, body: Body) -> Response | None:
        try:
            response = client.request("POST", "/v1/batch", self._headers, json.dumps(body).encode())
        except ConnectionLostError:
            response = None
        if response is not None and response.status == 200:
            return response
        if response is not None and response.status < 500 and response.status != 429:
            raise CommandError(f"The collector rejected a batch with status {response.status}.")
        with self._lock:
            self.sent.unanswered += 1
        return None


def request_bodies(plan: Plan) -> list[Body]:
    """Return the plan's batches, each of one visitor; one in ten contains an invalid event."""
    rng = random.Random(plan.seed)  # noqa: S311 - not a secret
    bodies = []
    for start in range(0, plan.events, BATCH_EVENTS):
        visitor = f"visitor-{rng.randrange(200)}"
        batch = [
            _event(rng, f"{plan.run}-{number}", visitor)
            for number in range(start, min(start + BATCH_EVENTS, plan.events))
        ]
        if rng.random() < 0.1:
            del batch[rng.randrange(len(batch))]["anonymousId"]
        bodies.append({"batch": batch})
    return bodies


def _event(rng: random.Random, message_id: str, visitor: str) -> Event:
    if rng.random() < 0.5:
        path = f"/lessons/{rng.randrange(30)}"
        fields: Event = {"type": "page", "name": "Lesson", "properties": {"path": path}}
    else:
        properties = {
            "price": rng.randrange(10_000) / 100,
            "advisor": rng.choice(["अनु", "Zoë"]),
        }
        fields = {"type": "track", "event": "Booked", "properties": properties}
    return {"messageId": message_id, "anonymousId": visitor, **fields}
