"""Convert the log's requests to Segment page events with pseudonymous visitors.

Segment Spec, "Page" and "Common Fields": every event has `messageId`, `anonymousId`, `timestamp`
and `context`; a page event's `properties` hold path, url, referrer, search and title.
"""

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from tools.replay.combined_log_format import Request

#: Segment Spec, `context.library`.
LIBRARY: Final = {"name": "meridian-replay", "version": "1.0.0"}
#: CloudFront accepts 20 KB for all headers of a request.
MAX_USER_AGENT_BYTES: Final = 1_024

_NOT_VISIBLE: Final = re.compile(r"[^\x20-\x7e]")


class Visitor(NamedTuple):
    """The sender: a pseudonymous id for this run, the viewer address and the user agent."""

    anonymous_id: str
    address: str | None
    agent: str | None

    @property
    def agent_header(self) -> str:
        """The user agent as visible ASCII (RFC 9110 §5.5), empty if the log has none."""
        return _NOT_VISIBLE.sub("?", self.agent or "")[:MAX_USER_AGENT_BYTES].strip()


class PageView(NamedTuple):
    """One event. `line` counts from 1; `body` is the event as JSON."""

    visitor: Visitor
    line: int
    message_id: str
    at: datetime
    path: str
    body: str


class EventMaker:
    """Create the events of one log.

    `site` is the scheme and host of the logged site, `digest` the log's SHA-256 in hexadecimal.
    `salt` is a secret of this run: without it, an anonymousId can't be traced to an address. The
    messageIds of a log are the same in every run.
    """

    def __init__(self, *, site: str, digest: str, salt: bytes) -> None:
        self._site = site.rstrip("/")
        self._digest = digest
        self._salt = salt

    def page_view(self, line: int, request: Request) -> PageView:
        """Return the page event of the request on line number `line`."""
        message_id = f"{self._digest[:24]}-{line:08d}"
        visitor = self._visitor(request)
        page = {
            "path": request.path,
            "url": self._site + request.path + request.search,
            "referrer": request.referrer or "",
            "search": request.search,
        }
        event = {
            "type": "page",
            "messageId": message_id,
            "anonymousId": visitor.anonymous_id,
            "timestamp": iso(request.at),
            "properties": {
                **page,
                "method": request.method,
                "status": request.status,
                "bytes": request.size,
            },
            "context": {"page": page, "userAgent": request.agent, "library": LIBRARY},
        }
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        return PageView(visitor, line, message_id, request.at, request.path, body)

    def _visitor(self, request: Request) -> Visitor:
        identity = f"{request.client}\0{request.agent or ''}".encode()
        digest = hmac.digest(self._salt, identity, hashlib.sha256)
        # SDKs use a random UUID; this one has the same format (RFC 9562 §5.8, version 8).
        number = int.from_bytes(digest[:16])
        number = number & ~(0xF << 76) | 0x8 << 76
        number = number & ~(0x3 << 62) | 0x2 << 62
        return Visitor(str(UUID(int=number)), request.address, request.agent)


def iso(moment: datetime) -> str:
    """Format a UTC datetime as SDKs do: ISO 8601 with milliseconds and `Z`."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
