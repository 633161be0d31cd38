"""The build and the folders of the systems that tests start, in one or several processes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.dev import sam_deployment
from tools.paths import STATE
from tools.stack import StackTarget

#: pytest-xdist's names of the run and of this process; unset if the run has one process.
_RUN: Final = "PYTEST_XDIST_TESTRUNUID"
_WORKER: Final = "PYTEST_XDIST_WORKER"


def state_folder(name: str) -> Path:
    """Return the folder for a system's logs and state; each process of a run has its own."""
    worker = os.environ.get(_WORKER)
    return STATE / (f"{name}-{worker}" if worker else name)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Create the folder, and hold its lock: processes of a run write to it one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_once() -> None:
    """Run `sam build`, once for all processes of a run: a build replaces the files in use.

    Raises:
        CommandError: The build failed.
    """
    folder = STATE / "test-build"
    run, built = os.environ.get(_RUN, ""), folder / "run"
    with exclusive(folder):
        if run and built.exists() and built.read_text() == run:
            return
        # A build calls no AWS API, so any address serves as the endpoint.
        sam_deployment.build(StackTarget("http://127.0.0.1:9"), folder / "sam-build.log")
        built.write_text(run)
