"""A name for the primary: connections go to the address that a file has at the moment.

Amazon Aurora's global writer endpoint follows the primary in the same way, so that no function's
environment has the address of one server.
"""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_BYTES: Final = 65_536
CONNECT_S: Final = 2.0


class WriterEndpoint:
    """Forward connections to the server that `target` names, as host:port."""

    def __init__(self, port: int, target: Path) -> None:
        """`port` is the port on 127.0.0.1."""
        self._target = target
        self._socket = socket.create_server((HOST, port), backlog=64)

    def serve(self) -> None:
        """Accept connections until the process ends."""
        while True:
            client, _ = self._socket.accept()
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        host, _, port = self._target.read_text("ascii").strip().rpartition(":")
        try:
            server = socket.create_connection((host, int(port)), CONNECT_S)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join()
        client.close()
        server.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(_BYTES):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
