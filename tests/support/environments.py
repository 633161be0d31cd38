"""End the execution environments of functions; the next requests start new ones.

Lambda ends environments at any time. A new one remembers nothing: a collector, for example, avoids
a Region for minutes after an outage.
"""

from contextlib import suppress

import psutil

from aws_emulator.ministack.fork_server import process_name
from tools.dev.system import System


def find_environments(running: System, *handlers: str) -> list[psutil.Process]:
    """Return the processes of functions by their handlers."""
    names = {process_name(handler) for handler in handlers}
    (emulator,) = (it for it in running.processes.started if it.name == "ministack")
    matching = []
    for process in psutil.Process(emulator.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            # A fork has the command line of the server that it comes from.
            if process.cmdline()[-1] in handlers or process.name() in names:
                matching.append(process)
    return matching


def end_environments(running: System, *handlers: str) -> int:
    """Kill the processes of functions and wait for their end; return their number."""
    ended = find_environments(running, *handlers)
    for process in ended:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(ended, timeout=30)
    return len(ended)
