"""Extend uvicorn's HTTP/1.1 protocol with data that ASGI omits.

These are header names in their original case, the raw request target, and the size of the request
head.
"""

from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Quotas, "General quotas on distributions": "Maximum length of a request, including headers and
# query strings, but not including the body content: 20,480 bytes".
MAX_HEAD_BYTES: Final = 20_480
#: The parser gives up on a longer request head and closes the connection.
_MAX_PARSED_HEAD_BYTES: Final = 256 * 1024


class ViewerProtocol(HttpToolsProtocol):
    """Add data about the request to `scope["state"]`.

    `target` (bytes), `pairs` (headers as sent), `length` (bytes of the request head), and `gone`
    once the viewer has closed the connection.
    """

    _pairs: list[tuple[bytes, bytes]]
    _length: int

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._pairs = []
        self._length = 0

    def on_url(self, url: bytes) -> None:
        """Append a part of the target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Append one header."""
        super().on_header(name, value)
        self._pairs.append((name, value))
        self._count(len(name) + len(value) + len(": \r\n"))

    def on_headers_complete(self) -> None:
        """Store the state and start the application."""
        state: dict[str, Any] = self.scope["state"]
        state["target"] = self.url
        state["pairs"] = self._pairs
        # "METHOD target HTTP/1.1\r\n" and the empty line.
        state["length"] = self._length + len(self.parser.get_method()) + len("  HTTP/1.1\r\n\r\n")
        # The URL parser accepts ASCII only; `target` keeps the raw bytes.
        self.url = bytes(byte if 0x20 < byte < 0x7F else 0x5F for byte in self.url)
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Set `gone`, so that the application stops sending."""
        if self.cycle is not None:
            self.cycle.scope["state"]["gone"] = True
        super().connection_lost(exc)

    def _count(self, length: int) -> None:
        self._length += length
        if self._length > _MAX_PARSED_HEAD_BYTES:
            raise httptools.HttpParserError("the request head is too long")
