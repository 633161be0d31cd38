"""Connections to AWS: TCP without delay, TLS with certificates verified and host names checked."""

import os
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from edge_ingest.http import Endpoint

if TYPE_CHECKING:
    import ssl

_ROOTS: Final = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120 - pathlib would cost a cold start 6 ms


class Dialler:
    """Connects by the few roots that AWS's endpoints chain to; by all the system's, if need be."""

    def __init__(self) -> None:
        self._all_roots = False

    def __call__(self, endpoint: Endpoint, seconds: float) -> socket.socket:
        """Return a connected socket, its handshake done, within `seconds` for each of the two.

        A chain to another root fails the first time; the next connection knows them all.

        Raises:
            OSError: there is no connection, or its certificate is not to be trusted.
        """
        sock = socket.create_connection((endpoint.host, endpoint.port), seconds)
        try:
            # Without this a request that is written in two parts waits for a delayed ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._wrap(sock, endpoint.host) if endpoint.tls else sock
        except OSError:
            sock.close()
            raise

    def _wrap(self, sock: socket.socket, host: str) -> socket.socket:
        import ssl  # an emulator without TLS does not pay for it

        try:
            return context(all_roots=self._all_roots).wrap_socket(sock, server_hostname=host)
        except ssl.SSLCertVerificationError:
            self._all_roots = True
            raise


@lru_cache(maxsize=2)
def context(*, all_roots: bool) -> "ssl.SSLContext":
    """Make a context: 4 ms of CPU with Amazon's roots, 33 ms with those of the system.

    `SSL_CERT_FILE`, OpenSSL's own variable, says which roots to take instead of Amazon's.
    """
    import ssl

    if all_roots:
        return ssl.create_default_context()
    # What create_default_context does, but for its roots: verified, and TLS 1.2 or newer.
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cafile=os.environ.get("SSL_CERT_FILE") or _ROOTS)
    return made
