"""`python -P preloaded.py`: start MiniStack many times, in forks.

The import of the libraries takes most of the time of a start. This program imports them once. Each
line on its standard input is the JSON list of the arguments of `python -m aws_emulator.ministack`,
or empty. For a list, the program forks, and MiniStack starts in the new process as usual: it prints
its address when it is ready. The next line stops that process, if it still runs. The program prints
its exit code. It doesn't import MiniStack's own modules, because they read settings and start
threads during their import.
"""

import gc
import importlib
import json
import os
import select
import signal
import sys
from typing import Final

from aws_emulator.ministack import __main__ as ministack

#: The libraries that take most of the time of MiniStack's start.
LIBRARIES: Final = (
    *("boto3", "botocore.session", "cryptography.hazmat.primitives.serialization", "duckdb"),
    *("hypercorn.protocol.h2", "jsonata", "jsonschema", "samtranslator.translator.transform"),
    *("uvicorn.main", "yaml"),
)
#: How often the program looks for a MiniStack that has ended by itself, for example at its start.
POLL_S: Final = 0.1


def _start(arguments: list[str]) -> int:
    """Start MiniStack in a new process, and return its process ID."""
    if process := os.fork():
        return process
    # The main program's loop must not continue in the new process.
    try:
        sys.argv[1:] = arguments
        ministack.main()
    finally:
        os._exit(1)


def _end(process: int, options: int = 0) -> bool:
    """Wait for the end of the process and print its exit code. Return whether it has ended."""
    ended, status = os.waitpid(process, options)
    if ended:
        print(os.waitstatus_to_exitcode(status), flush=True)
    return bool(ended)


def main() -> None:
    """Start and stop MiniStack until the end of the standard input."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()
    process = None
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
        if process is not None and not readable and _end(process, os.WNOHANG):
            process = None
        if not readable:
            continue
        line = sys.stdin.readline()
        if process is not None:
            os.kill(process, signal.SIGTERM)
            _end(process)
            process = None
        if not line:
            return
        if line.strip():
            process = _start(json.loads(line))


if __name__ == "__main__":
    main()
