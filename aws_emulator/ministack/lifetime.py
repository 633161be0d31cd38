"""End all processes with the emulator, and the emulator with its parent."""

import contextlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Final

#: Interval at which the emulator checks that its parent is alive.
PARENT_POLL_S: Final = 0.25
#: How long a clean stop may take after the parent has ended.
STOP_GRACE_S: Final = 5.0


def guard(tmp: Path, close: tuple[int, ...]) -> None:
    """Fork a guard process that kills remaining subprocesses and cleans up when this process ends.

    All subprocesses of the emulator share its process group. When the emulator ends, even by
    SIGKILL, the guard kills the group and removes `tmp`. It notices the end by a pipe whose writing
    end only the emulator holds. (PR_SET_PDEATHSIG would tie a function's worker to the *thread*
    that started it, and those threads end with the invocation.)

    `close` lists file descriptors that the guard must not keep. Call this before any thread starts.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    group = os.getpgrp()
    reader, _writer = os.pipe()
    if os.fork():
        os.close(reader)
        return
    try:
        os.close(_writer)
        _wait_for_end(reader, close)
        _clean(group, tmp)
    finally:
        os._exit(0)


def _wait_for_end(reader: int, close: tuple[int, ...]) -> None:
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for descriptor in close:
        os.close(descriptor)
    os.read(reader, 1)


def _clean(group: int, tmp: Path) -> None:
    with contextlib.suppress(ProcessLookupError):  # no process remains
        os.killpg(group, signal.SIGKILL)
    # A killed process may still be writing.
    for _ in range(10):
        shutil.rmtree(tmp, ignore_errors=True)
        if not tmp.exists():
            return
        time.sleep(0.05)


def exit_with_parent() -> None:
    """Stop this process when its parent ends: by SIGTERM, then, after STOP_GRACE_S, at once."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
