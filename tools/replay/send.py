"""Several clients at once deliver the batches; those of one visitor keep their order."""

import base64
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from zlib import crc32

from aws_emulator.errors import CommandError
from tools.progress import Step
from tools.replay.batches import Batch
from tools.replay.delivery import deliver
from tools.replay.events import iso
from tools.replay.ledger import Ledger, Summary
from tools.replay.transport import Client

#: Batches that wait for one client: enough to keep it busy, few enough for any length of log.
QUEUE = 256
#: Seconds after which a waiting thread looks whether another one has failed.
_TICK_S = 0.2


def authorization(write_key: str) -> str:
    """Return the header of Segment's HTTP API: the write key is the user, without password."""
    return "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()


class Sender:
    """Sends batches with as many threads as clients; the first failure ends them all."""

    def __init__(
        self,
        clients: list[Client],
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
        self._queues: list[Queue[Batch | None]] = [Queue(QUEUE) for _ in clients]
        self._threads = [
            Thread(target=self._work, args=(client, queue), name=f"replay-{number}", daemon=True)
            for number, (client, queue) in enumerate(zip(clients, self._queues, strict=True))
        ]

    def run(self, batches: Iterable[Batch], summary: Summary) -> None:
        """Send all; fill in the summary's times. Raises CommandError as `deliver` does."""
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
                    thread.join(_TICK_S)
        finally:
            # After a failure nobody waits for what the others still have under way.
            self._stop.set()
        summary.seconds = round(time.monotonic() - started, 3)
        summary.last_answer = iso(datetime.now(UTC))
        if isinstance(self._failure, CommandError):
            raise CommandError(
                f"{self._failure} {summary.sent:,} events had been answered by then."
            ) from self._failure
        if self._failure is not None:
            raise self._failure

    def _queue_of(self, batch: Batch) -> Queue[Batch | None]:
        # One visitor, one client: an SDK does not send its second batch before its first.
        return self._queues[crc32(batch.visitor.anonymous_id.encode()) % len(self._queues)]

    def _put(self, queue: Queue[Batch | None], item: Batch | None) -> bool:
        while not self._stop.is_set():
            try:
                queue.put(item, timeout=_TICK_S)
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
        except Exception as error:  # noqa: BLE001 - whatever ends a thread ends the run, in `run`
            if not self._stop.is_set():
                self._failure = error
            self._stop.set()
        finally:
            client.close()

    def _next(self, queue: Queue[Batch | None]) -> Batch | None:
        while not self._stop.is_set():
            try:
                return queue.get(timeout=_TICK_S)
            except Empty:
                continue
        return None

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise CommandError("Another client failed.")


def clients_for(count: int, make: Callable[[], Client]) -> list[Client]:
    """Make `count` clients. Raises CommandError where there would be none or far too many."""
    if not 1 <= count <= 64:
        raise CommandError(f"--clients must be between 1 and 64, not {count}.")
    return [make() for _ in range(count)]
