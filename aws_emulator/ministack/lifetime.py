"""Nothing outlives the emulator, and the emulator does not outlive who started it."""

import contextlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path

#: How often the emulator looks whether its parent is still there, in seconds.
PARENT_POLL_S = 0.25
#: How long a clean stop may take after the parent went, in seconds.
STOP_GRACE_S = 5.0


def guard(tmp: Path, close: tuple[int, ...]) -> None:
    """Fork a process that waits for the end of this one, then kills what is left and cleans up.

    All subprocesses of the emulator share its process group, so whatever ends the emulator, SIGKILL
    included, the guard kills the group and removes `tmp`. It learns of the end by a pipe whose
    writing end only the emulator holds. (PR_SET_PDEATHSIG would tie a function's worker to the
    *thread* that started it, and those threads end with the invocation.)

    `close`: file descriptors that the guard must not keep. To be called before any thread starts.
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
    with contextlib.suppress(ProcessLookupError):  # nothing was left
        os.killpg(group, signal.SIGKILL)
    # A killed process may still be writing for a moment.
    for _ in range(10):
        shutil.rmtree(tmp, ignore_errors=True)
        if not tmp.exists():
            return
        time.sleep(0.05)


def follow_parent() -> None:
    """Stop this process when its parent ends, by SIGTERM and, should that fail, at once."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
