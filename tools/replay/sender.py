"""Deliver batches with several concurrent clients, in order for each visitor."""

import base64
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Final
from zlib import crc32

from aws_emulator.errors import CommandError
from tools.progress import Step
from tools.replay.batches import Batch
from tools.replay.delivery import deliver
from tools.replay.events import iso
from tools.replay.http_client import Client
from tools.replay.ledger import Ledger, Summary

#: Queued batches per client: enough to keep it busy, with bounded memory.
QUEUE_BATCHES: Final = 256
#: Waiting threads check at this interval whether another one has failed.
_CHECK_INTERVAL_S: Final = 0.2


def authorization(write_key: str) -> str:
    """Return the Authorization header of Segment's HTTP API: the write key without a password."""
    return "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()


class Sender:
    """Send batches with one thread per client; the first failure stops all of them."""

    def __init__(
        self,
        clients: Sequence[Client],
        write_key: str,
        ledger: Ledger,
        progress: Step,
    ) -> None:
        self._authorization = authorization(write_key)
        self._ledger = ledger
        self._progress = progress
        self._showing = Lock()
        self._stop = Event()
        self._failure: Exception | None = None
        self._queues: list[Queue[Batch | None]] = [Queue(QUEUE_BATCHES) for _ in clients]
        self._threads = [
            Thread(target=self._work, args=(client, queue), name=f"replay-{number}", daemon=True)
            for number, (client, queue) in enumerate(zip(clients, self._queues, strict=True))
        ]

    def run(self, batches: Iterable[Batch], summary: Summary) -> None:
        """Send all batches and set the summary's times.

        Raises:
            CommandError: The collector is unreachable, rejects the write key or keeps failing.
        """
        started = time.monotonic()
        summary.first_request = iso(datetime.now(UTC))
        for thread in self._threads:
            thread.start()
        try:
            for batch in batches:
                if not self._put(self._queue_of(batch), batch):
                    break
            for queue in self._queues:
                self._put(queue, None)
            for thread in self._threads:
                while thread.is_alive() and not self._stop.is_set():
                    thread.join(_CHECK_INTERVAL_S)
        finally:
            # After a failure, don't wait for the requests of the other clients.
            self._stop.set()
        summary.seconds = round(time.monotonic() - started, 3)
        summary.last_answer = iso(datetime.now(UTC))
        if isinstance(self._failure, CommandError):
            raise CommandError(
                f"{self._failure} {summary.sent:,} events had been answered before."
            ) from self._failure
        if self._failure is not None:
            raise self._failure

    def _queue_of(self, batch: Batch) -> Queue[Batch | None]:
        # A visitor always has the same client: an SDK sends one batch after the other.
        return self._queues[crc32(batch.visitor.anonymous_id.encode()) % len(self._queues)]

    def _put(self, queue: Queue[Batch | None], item: Batch | None) -> bool:
        while not self._stop.is_set():
            try:
                queue.put(item, timeout=_CHECK_INTERVAL_S)
            except Full:
                continue
            return True
        return False

    def _work(self, client: Client, queue: Queue[Batch | None]) -> None:
        try:
            while (batch := self._next(queue)) is not None:
                delivery = deliver(batch, client, self._authorization, self._sleep)
                self._ledger.record(batch, delivery)
                with self._showing:
                    self._progress.advance(len(batch.views))
        except Exception as error:  # noqa: BLE001 - `run` raises it in the main thread
            if not self._stop.is_set():
                self._failure = error
            self._stop.set()
        finally:
            client.close()

    def _next(self, queue: Queue[Batch | None]) -> Batch | None:
        while not self._stop.is_set():
            try:
                return queue.get(timeout=_CHECK_INTERVAL_S)
            except Empty:
                continue
        return None

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise CommandError("Another client failed.")


def make_clients[C: Client](count: int, make: Callable[[], C]) -> list[C]:
    """Create `count` clients.

    Raises:
        CommandError: `count` isn't between 1 and 64.
    """
    if not 1 <= count <= 64:
        raise CommandError(f"--clients must be a number from 1 to 64, not {count}.")
    return [make() for _ in range(count)]
