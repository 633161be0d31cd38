"""Watch folders in a thread, and give the changed paths to the main thread."""

import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import watchfiles

#: Events within this time after the last one belong to the same batch.
STEP_MS: Final = 50
#: The longest time for which events are collected.
DEBOUNCE_MS: Final = 400
#: The interval at which single files are compared, because the watch of a file ends when an editor
#: replaces the file.
POLL_MS: Final = 300


class Watcher:
    """Collect changed paths of `folders` and `files`. Use it as a context manager.

    A thread watches, because the watch would hide the signal that ends a run from the main thread.
    """

    def __init__(self, folders: Sequence[Path], files: Sequence[Path]) -> None:
        self._folders = folders
        self._files = files
        self._queue: queue.Queue[set[Path]] = queue.Queue()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def wait(self, timeout_s: float | None = None) -> set[Path]:
        """Return the changed paths of one or more batches, an empty set after `timeout_s`."""
        try:
            paths = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return set()
        while not self._queue.empty():
            paths |= self._queue.get()
        return paths

    def _watch(self) -> None:
        times = self._times()
        # The first timeout comes after the watch of all folders has begun.
        for batch in watchfiles.watch(
            *self._folders,
            watch_filter=lambda _change, path: "__pycache__" not in path,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=POLL_MS,
            yield_on_timeout=True,
            stop_event=self._stop,
            raise_interrupt=False,
        ):
            self._ready.set()
            paths = {Path(path) for _change, path in batch}
            if (now := self._times()) != times:
                paths |= {it for it in self._files if now[it] != times[it]}
                times = now
            if paths:
                self._queue.put(paths)

    def _times(self) -> dict[Path, tuple[int, int] | None]:
        return {it: _stamp(it) for it in self._files}


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
