"""TCP and TLS connections to AWS endpoints, with verified certificates and host names.

`kinesis.KinesisClient` opens its connections through `Connector`.
"""

import os
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from edge_ingest.http_client import Endpoint

if TYPE_CHECKING:
    import ssl

_ROOTS_FILE: Final = os.path.join(os.path.dirname(__file__), "amazon_roots.pem")  # noqa: PTH118, PTH120 - pathlib is slow to import


class Connector:
    """Open connections, verified against Amazon's root certificates.

    If the verification fails, the following connections use the system's root certificates.
    """

    def __init__(self) -> None:
        self._all_roots = False

    def __call__(self, endpoint: Endpoint, timeout: float) -> socket.socket:
        """Return a connected socket after the TLS handshake.

        `timeout` in seconds applies to the TCP connection and to the handshake separately.

        Raises:
            OSError: The connection failed or the certificate is invalid.
        """
        # As bytes (getaddrinfo accepts both), because text takes the IDNA codec: slow to import.
        host = endpoint.host.encode("ascii")
        address: tuple[Any, int] = (host, endpoint.port)
        sock = socket.create_connection(address, timeout)
        try:
            # Otherwise a request in two writes waits for the server's delayed ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._handshake(sock, host) if endpoint.tls else sock
        except OSError:
            sock.close()
            raise

    def _handshake(self, sock: socket.socket, host: bytes) -> socket.socket:
        import ssl  # not needed for an emulator without TLS

        try:
            return ssl_context(all_roots=self._all_roots).wrap_socket(sock, server_hostname=host)
        except ssl.SSLCertVerificationError:
            self._all_roots = True
            raise


@lru_cache(maxsize=2)
def ssl_context(*, all_roots: bool) -> "ssl.SSLContext":
    """Return a context. Amazon's few roots load several times faster than the system's.

    OpenSSL's variable `SSL_CERT_FILE` replaces Amazon's roots with the file that it names.
    """
    import ssl

    if all_roots:
        return ssl.create_default_context()
    # Like create_default_context, this verifies certificates and host names with TLS 1.2 or later.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=os.environ.get("SSL_CERT_FILE") or _ROOTS_FILE)
    return context
