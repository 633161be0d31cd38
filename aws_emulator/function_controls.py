"""Call the emulator's controls for functions: replace files, check that a function starts."""

import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_emulator.endpoint import Endpoint
from aws_emulator.errors import CommandError

#: Starting a function can take as long as its import; see aws_emulator/ministack/workers.py.
TIMEOUT_S: Final = 90.0
#: The folder in which the emulator unpacks a package.
_TASK: Final = re.compile(r"/[^\s\"']*/task/")
#: The runtime interface client explains in each log that Lambda may have changed the runtime.
_RUNTIME_NOTICE: Final = "LAMBDA_WARNING: "
#: Frames of the runtime interface client and of the import system.
_OTHER_FRAMES: Final = re.compile(r'File "(?:<frozen |/)')


@dataclass(frozen=True)
class StartFailure:
    """Why a function can't start: Lambda's error type, its message and the last log lines."""

    function: str
    type: str
    message: str
    log: str

    def text(self, prefix: str = "") -> str:
        """Return the message for the user. Paths of the package begin with `prefix`."""
        lines = [f"{self.function} can't start: {self.type}: {self.message}"]
        lines += [f"    {line}" for line in _relevant(self.log, prefix)]
        return "\n".join(lines)


def replace_files(
    endpoint: Endpoint, function: str, files: Mapping[str, bytes | None]
) -> StartFailure | None:
    """Replace files in a deployed function, or return why it can't start with them.

    Raises:
        CommandError: The emulator has no such function, or didn't answer.
    """
    encoded = {
        name: None if content is None else base64.b64encode(content).decode()
        for name, content in files.items()
    }
    return _call(endpoint, "function-files", function, {"files": encoded})


def start(endpoint: Endpoint, function: str) -> StartFailure | None:
    """Start a deployed function, or return why it can't start.

    Raises:
        CommandError: The emulator has no such function, or didn't answer.
    """
    return _call(endpoint, "function-start", function, None)


def _call(endpoint: Endpoint, path: str, function: str, document: Any) -> StartFailure | None:
    query = urllib.parse.urlencode({"function": function, "region": endpoint.region})
    data = b"" if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"{endpoint.url}/_local/{path}?{query}", data, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            error = json.load(response)["error"]
    except urllib.error.HTTPError as failure:
        with failure:
            message = failure.read().decode(errors="replace")
        raise CommandError(f"Can't reach {function} in the emulator: {message}") from failure
    except (OSError, ValueError) as failure:
        raise CommandError(f"Can't reach {function} in the emulator: {failure}.") from failure
    if error is None:
        return None
    return StartFailure(function, error["type"], error["message"], error["log"])


def _relevant(log: str, prefix: str) -> list[str]:
    """Return the log's lines without frames of the runtime, with paths of the sources."""
    lines = [_TASK.sub(prefix, line).rstrip() for line in log.splitlines()]
    relevant_lines, skipping = [], False
    for line in lines:
        if line.lstrip().startswith("File "):
            skipping = _OTHER_FRAMES.search(line) is not None
        elif not line.startswith((" ", "\t")):
            skipping = False
        if line and not skipping and _RUNTIME_NOTICE not in line:
            relevant_lines.append(line)
    # The client writes this line also without a traceback.
    return (
        relevant_lines[:-1]
        if relevant_lines and relevant_lines[-1].startswith("Traceback ")
        else relevant_lines
    )
