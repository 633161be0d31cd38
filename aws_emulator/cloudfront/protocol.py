"""Uvicorn's HTTP/1.1 protocol, with what CloudFront sees and ASGI does not: names as written, the
request's exact target and length."""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Quotas, "General quotas on distributions": "Maximum length of a request, including headers and
# query strings, but not including the body content: 20,480 bytes".
REQUEST_LIMIT = 20_480
#: Bytes of a head after which the connection is cut: nothing so long is answered politely.
_HARD_LIMIT = 256 * 1024


class EdgeProtocol(HttpToolsProtocol):
    """Puts into `scope["state"]`: `target` (bytes), `pairs` (headers as written), `length` (of the
    head, in bytes), and `gone` once the viewer has closed the connection."""

    _pairs: list[tuple[bytes, bytes]]
    _length: int

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._pairs = []
        self._length = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        super().on_header(name, value)
        self._pairs.append((name, value))
        self._count(len(name) + len(value) + len(": \r\n"))

    def on_headers_complete(self) -> None:
        """Hand the request on."""
        state: dict[str, Any] = self.scope["state"]
        state["target"] = self.url
        state["pairs"] = self._pairs
        # "METHOD target HTTP/1.1\r\n" and the empty line.
        state["length"] = self._length + len(self.parser.get_method()) + len("  HTTP/1.1\r\n\r\n")
        # The parser of URLs wants ASCII; a raw byte is kept in `target` alone.
        self.url = bytes(byte if 0x20 < byte < 0x7F else 0x5F for byte in self.url)
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the viewer is gone, for the one who sends to it."""
        if self.cycle is not None:
            self.cycle.scope["state"]["gone"] = True
        super().connection_lost(exc)

    def _count(self, length: int) -> None:
        self._length += length
        if self._length > _HARD_LIMIT:
            raise httptools.HttpParserError("the request's head is too long")
