"""Thousands of events through the edge, as an SDK sends them: until they are answered."""

import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from aws_emulator.errors import CommandError
from tools.chaos.plan import Plan
from tools.replay.send import authorization
from tools.replay.transport import Answer, Client, ConnectionLostError

#: Events of one request, and requests that are sent a second time although they were answered.
BATCH = 25
SENT_TWICE = 0.1
CLIENTS = 4
#: Seconds after which a batch that nobody answers is no fault of the storm any more.
GIVE_UP_S = 60.0
WAIT_S = 0.25

type Event = dict[str, Any]
type Body = dict[str, list[Event]]


@dataclass
class Sent:
    """What the edge answered. Of a request without a 200 nobody knows whether it was stored.

    `refusals` counts answers, `rejected` the events that they name.
    """

    accepted: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    refusals: int = 0
    requests: int = 0
    repeated: int = 0
    unanswered: int = 0


class Visitors:
    """Sends the plan's events within its seconds. `start`, `finish`, and `last` for the last."""

    def __init__(self, plan: Plan, write_key: str, make: Callable[[], Client]) -> None:
        self.sent = Sent()
        self._plan = plan
        self._headers = {
            "Authorization": authorization(write_key),
            "Content-Type": "application/json",
        }
        self._bodies = list(bodies_of(plan))
        self._kept_back = max(1, round(len(self._bodies) * plan.last))
        self._make = make
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(CLIENTS, thread_name_prefix="visitor")
        self._futures: list[Future[None]] = []

    def start(self) -> None:
        """Begin to send."""
        bodies = self._bodies[: -self._kept_back]
        pause = self._plan.seconds * CLIENTS / len(self._bodies)
        self._futures = [
            self._pool.submit(self._send, bodies[number::CLIENTS], pause)
            for number in range(CLIENTS)
        ]

    def finish(self) -> None:
        """Wait until all but the last is answered. Raises CommandError where it is not."""
        try:
            for future in self._futures:
                future.result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def last(self) -> None:
        """Send what was kept back. Raises CommandError where it is not answered."""
        self._send(self._bodies[-self._kept_back :], pause=0)

    def _send(self, bodies: list[Body], pause: float) -> None:
        client = self._make()
        draws = random.Random(self._plan.seed)  # noqa: S311 - no secret: it must be repeatable
        try:
            for body in bodies:
                began = time.monotonic()
                self._deliver(client, body)
                if draws.random() < SENT_TWICE:
                    self._deliver(client, body, repeated=True)
                time.sleep(max(0.0, pause - (time.monotonic() - began)))
        finally:
            client.close()

    def _deliver(self, client: Client, body: Body, *, repeated: bool = False) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        while (answer := self._post(client, body)) is None:
            if time.monotonic() > deadline:
                raise CommandError(f"The edge did not take a batch within {GIVE_UP_S:.0f} s.")
            time.sleep(WAIT_S)
        refused = json.loads(answer.body).get("rejected") or []
        indexes = {entry["index"] for entry in refused}
        ids = [event["messageId"] for event in body["batch"]]
        with self._lock:
            self.sent.accepted |= {it for n, it in enumerate(ids) if n not in indexes}
            self.sent.rejected |= {it for n, it in enumerate(ids) if n in indexes}
            self.sent.refusals += len(indexes)
            self.sent.requests += 1
            self.sent.repeated += repeated

    def _post(self, client: Client, body: Body) -> Answer | None:
        try:
            answer = client.request("POST", "/v1/batch", self._headers, json.dumps(body).encode())
        except ConnectionLostError:
            answer = None
        if answer is not None and answer.status == 200:
            return answer
        if answer is not None and answer.status < 500 and answer.status != 429:
            raise CommandError(f"The edge refuses a batch with {answer.status}.")
        with self._lock:
            self.sent.unanswered += 1
        return None


def bodies_of(plan: Plan) -> list[Body]:
    """The requests of a plan: each one visitor's, every tenth with an event that is nobody's."""
    draws = random.Random(plan.seed)  # noqa: S311 - no secret: it must be repeatable
    bodies = []
    for start in range(0, plan.events, BATCH):
        visitor = f"visitor-{draws.randrange(200)}"
        batch = [
            _event(draws, f"{plan.run}-{number}", visitor)
            for number in range(start, min(start + BATCH, plan.events))
        ]
        if draws.random() < 0.1:
            del batch[draws.randrange(len(batch))]["anonymousId"]
        bodies.append({"batch": batch})
    return bodies


def _event(draws: random.Random, message_id: str, visitor: str) -> Event:
    if draws.random() < 0.5:
        path = f"/lessons/{draws.randrange(30)}"
        more: Event = {"type": "page", "name": "Lesson", "properties": {"path": path}}
    else:
        properties = {
            "price": draws.randrange(10_000) / 100,
            "advisor": draws.choice(["अनु", "Zoë"]),
        }
        more = {"type": "track", "event": "Booked", "properties": properties}
    return {"messageId": message_id, "anonymousId": visitor, **more}
