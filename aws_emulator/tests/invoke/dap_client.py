"""A client of the Debug Adapter Protocol, as an editor has one."""

import contextlib
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 120.0


class DapClient:
    """Attaches to a debug adapter. Local files in `local` are `remote` for the debugged process."""

    def __init__(self, port: int, local: Path, remote: Path) -> None:
        self._socket = _connect(port)
        self._stream = self._socket.makefile("rb")
        self._number = 0
        self._messages: list[Mapping[str, Any]] = []
        self.request("initialize", adapterID="debugpy", pathFormat="path")
        mapping = {"localRoot": str(local), "remoteRoot": str(remote)}
        # The response comes only after configurationDone.
        self.send("attach", pathMappings=[mapping], justMyCode=True)
        self.wait_for("event", "initialized")

    def set_breakpoint(self, path: Path, line: int) -> bool:
        """Set the only breakpoint of a file; return whether the adapter verified it."""
        answer = self.request(
            "setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line}]
        )
        return bool(answer["breakpoints"][0]["verified"])

    def run(self) -> None:
        """Let the process begin."""
        self.request("configurationDone")

    def wait_for_stop(self) -> tuple[str, int, dict[str, str]]:
        """Wait for a breakpoint; return file, line and local variables of the innermost frame."""
        self._thread = int(self.wait_for("event", "stopped")["threadId"])
        frame = self.request("stackTrace", threadId=self._thread)["stackFrames"][0]
        scopes = self.request("scopes", frameId=frame["id"])["scopes"]
        reference = next(it for it in scopes if it["name"] == "Locals")["variablesReference"]
        listed = self.request("variables", variablesReference=reference)["variables"]
        variables = {str(it["name"]): str(it["value"]) for it in listed}
        return str(frame["source"]["path"]), int(frame["line"]), variables

    def resume(self) -> None:
        """Continue after a breakpoint."""
        self.request("continue", threadId=self._thread)

    def close(self) -> None:
        """Disconnect; the process continues."""
        self.request("disconnect", terminateDebuggee=False)
        self.abandon()

    def finish(self) -> None:
        """Wait until the process has ended, and disconnect, as an editor does."""
        with contextlib.suppress(AssertionError, OSError):  # The adapter closed the connection.
            self.wait_for("event", "terminated")
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without a request."""
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> None:
        """Send a request without waiting for its response."""
        self._number += 1
        message = {
            "seq": self._number,
            "type": "request",
            "command": command,
            "arguments": arguments,
        }
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def request(self, command: str, **arguments: Any) -> Mapping[str, Any]:
        """Send a request and return the body of its response."""
        self.send(command, **arguments)
        return self.wait_for("response", command)

    def wait_for(self, kind: str, name: str) -> Mapping[str, Any]:
        """Return the body of the next response or event with this name.

        Raises:
            AssertionError: The request failed, or the adapter closed the connection.
        """
        while True:
            for message in self._messages:
                if message["type"] == kind and name in (
                    message.get("command"),
                    message.get("event"),
                ):
                    self._messages.remove(message)
                    assert message.get("success", True), message
                    body: Mapping[str, Any] = message.get("body") or {}
                    return body
            self._messages.append(self._receive())

    def _receive(self) -> Mapping[str, Any]:
        length = 0
        while (line := self._stream.readline().strip()) or not length:
            assert line, "the debug adapter closed the connection"
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        message: Mapping[str, Any] = json.loads(self._stream.read(length))
        return message


def _connect(port: int) -> socket.socket:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return connection
