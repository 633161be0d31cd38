"""Requests of the log become Segment page events of visitors whom nobody can name again.

Segment Spec, "Page" and "Common Fields": every event has `messageId`, `anonymousId`, `timestamp`
and `context`; a page event's `properties` hold path, url, referrer, search and title.
"""

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tools.replay.combined import Request

#: What the events say made them (Segment Spec, `context.library`).
LIBRARY = {"name": "meridian-replay", "version": "1.0.0"}
#: A header is one line of visible ASCII (RFC 9110 §5.5); CloudFront's limit is 20 KB for all.
MAX_AGENT_HEADER = 1_024

_NOT_VISIBLE = re.compile(r"[^\x20-\x7e]")


class Visitor(NamedTuple):
    """Who sends: a name that only this run could make, and what the edge sees of the sender."""

    anonymous_id: str
    address: str | None
    agent: str | None

    @property
    def agent_header(self) -> str:
        """The agent as a header can carry it; empty where the log has none."""
        return _NOT_VISIBLE.sub("?", self.agent or "")[:MAX_AGENT_HEADER].strip()


class PageView(NamedTuple):
    """One event, ready to send. `line` counts from 1; `body` is the event as JSON."""

    visitor: Visitor
    line: int
    message_id: str
    at: datetime
    path: str
    body: str


class EventMaker:
    """Makes the events of one log.

    `site` is scheme and host of the site that wrote the log, `digest` the SHA-256 of the whole
    log in hexadecimal, `salt` a secret of this run alone: with it gone, an anonymousId leads to
    no address, while the messageIds of a log are the same in each run.
    """

    def __init__(self, *, site: str, digest: str, salt: bytes) -> None:
        self._site = site.rstrip("/")
        self._digest = digest
        self._salt = salt

    def page_view(self, line: int, request: Request) -> PageView:
        """Return the page event of the request on line `line`."""
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
        who = f"{request.client}\0{request.agent or ''}".encode()
        digest = hmac.digest(self._salt, who, hashlib.sha256)
        # SDKs write a random UUID here: this one has the same shape (RFC 9562 §5.8, version 8).
        number = int.from_bytes(digest[:16])
        number = number & ~(0xF << 76) | 0x8 << 76
        number = number & ~(0x3 << 62) | 0x2 << 62
        return Visitor(str(UUID(int=number)), request.address, request.agent)


def iso(moment: datetime) -> str:
    """Write a UTC moment as SDKs do: ISO 8601 with milliseconds and `Z`."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
