"""Whose facts an event gets: those of its request, or those that a server states about a visitor.

A browser or an app sends its own events, so the request's address, agent, location and device are
the visitor's. A server sends events of many visitors, and its own facts describe none of them: each
event gets the facts in its `context` (Segment spec, "Common fields"). `redaction` calls `add_facts`
with redacted events, so that a dropped or hashed field isn't read here.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

import clickstream
from clickstream import Accepted
from clickstream.event import View
from edge_ingest import crawlers
from edge_ingest.cloudfront_event import Device, Request, Viewer
from edge_ingest.parsing import Payload

# User agents of browsers, and of the HTTP clients of mobile systems and SDKs: Segment's mobile SDKs
# send their names, RudderStack's the ones of the system.
_BROWSERS: Final = ("Mozilla/", "Opera/")
_MOBILE: Final = (
    *("Dalvik/", "okhttp/", "CFNetwork/", "Darwin/", "Dart/"),
    *("analytics-android", "analytics-ios", "analytics-kotlin", "analytics-swift"),
)
# RudderStack, "Common fields": `channel` is mobile, web, server or sources.
_SERVER_CHANNELS: Final = ("server", "sources")
# `context.device.type` of Segment's and RudderStack's mobile SDKs.
_DEVICE_TYPES: Final[dict[str, Device]] = {
    "desktop": "desktop",
    "mobile": "mobile",
    "tablet": "tablet",
    "tv": "tv",
    "ios": "mobile",
    "android": "mobile",
}
# The first match wins. Android's browsers omit `Mobile` on tablets.
_DEVICES: Final[tuple[tuple[str, Device], ...]] = (
    (r"(?i)smart-?tv|googletv|apple ?tv|hbbtv", "tv"),
    (r"(?i)ipad|tablet|android(?!.*mobile)", "tablet"),
    (r"(?i)mobile|iphone|ipod", "mobile"),
    (r"^Mozilla/|^Opera/", "desktop"),
)
_MAX_USER_AGENT_CHARS: Final = 1024
_MAX_TEXT_CHARS: Final = 128


class RequestFacts(msgspec.Struct, frozen=True):
    """The storable facts of a request about its sender. `agent` isn't redacted."""

    ip: str | None = None
    viewer: Viewer = Viewer()
    bot: bool = False
    agent: str | None = None


class _Context(msgspec.Struct, gc=False):
    """The fields of an event's or batch's `context` that describe a visitor."""

    user_agent: Any = msgspec.field(name="userAgent", default=None)
    ip: Any = None
    location: Any = None
    timezone: Any = None
    device: Any = None


class _Event(msgspec.Struct, gc=False):
    context: msgspec.Raw = msgspec.Raw(b"null")


_event_decoder: Final = msgspec.json.Decoder(_Event)
_context_decoder: Final[msgspec.json.Decoder[_Context | None]] = msgspec.json.Decoder(
    _Context | None
)


def is_from_device(request: Request) -> bool:
    """Return whether a visitor's own browser or app sent a request.

    An image and `sendBeacon` exist in browsers only, and only browsers send `Origin`.
    """
    if request.method != "POST" or request.path.startswith("/beacon/") or request.header("origin"):
        return True
    agent = request.header("user-agent") or ""
    return agent.startswith(_BROWSERS) or _is_mobile(agent)


def is_from_app(request: Request) -> bool:
    """Return whether an app's HTTP client sent a request, and no browser or web view."""
    agent = request.header("user-agent") or ""
    return not agent.startswith(_BROWSERS) and _is_mobile(agent)


def of_app(facts: RequestFacts, event: Accepted, context: bytes) -> RequestFacts:
    """Return an app's facts with the type of device that its event or batch states.

    CloudFront recognizes devices by the user agents of browsers: those of apps have no `Mobile`.
    """
    stated = _context(bytes(_event_decoder.decode(event.event).context)) or _context(context)
    device = stated.device.get("type") if stated and isinstance(stated.device, dict) else None
    known = _DEVICE_TYPES.get(device.lower()) if isinstance(device, str) else None
    if known is None:
        return facts
    viewer = msgspec.structs.replace(facts.viewer, device=known)
    return msgspec.structs.replace(facts, viewer=viewer)


def is_bot(agent: str | None) -> bool:
    """Return whether a request's user agent is a crawler's.

    The list of crawlers contains HTTP clients such as okhttp, which apps use.
    """
    return crawlers.is_bot(agent) and not _is_mobile(agent or "")


def add_facts(
    accepted: list[Accepted],
    views: Sequence[View],
    payload: Payload,
    context: bytes,
    of_request: RequestFacts,
    *,
    from_device: bool,
) -> list[Accepted]:
    """Return the accepted events, with the visitor's facts if they aren't the header's.

    The header of a device's request has `of_request`, the header of a server's request has none.
    `context` is the batch's, for events without one.
    """
    if from_device:
        channels = [view.channel for view in views]
        # Counting is the fastest way to see that no event has one, the usual case.
        if channels.count(None) == len(channels) or not any(
            channel in _SERVER_CHANNELS for channel in channels
        ):
            return accepted
    batch_agent = payload.context_view.user_agent if payload.context_view else None
    result: list[Accepted] = []
    for event, view in zip(accepted, views, strict=True):
        stated = _event_decoder.decode(event.event)
        agent = view.agent if view.context else _text(batch_agent, _MAX_USER_AGENT_CHARS)
        # A crawler or an app whose agent isn't known states its own.
        is_own = view.channel == "mobile" or (agent is not None and agent == of_request.agent)
        visitor: clickstream.Visitor | None = None
        if view.channel in _SERVER_CHANNELS or not (from_device or is_own):
            facts = _context(bytes(stated.context)) or _context(context) or _Context()
            visitor = _stated(facts, agent)
        elif not from_device:
            visitor = _of_request(of_request)
        result.append(msgspec.structs.replace(event, visitor=visitor) if visitor else event)
    return result


def _is_mobile(agent: str) -> bool:
    return any(name in agent for name in _MOBILE)


def _context(text: bytes) -> _Context | None:
    try:
        return _context_decoder.decode(text)
    except msgspec.ValidationError:
        return None  # the source's privacy rules replaced the object by a hash


def _stated(context: _Context, agent: str | None) -> clickstream.Visitor:
    """Return the facts in a context. `agent` is its user agent before redaction."""
    location = context.location if isinstance(context.location, dict) else {}
    country = _text(location.get("country"), 2)
    device = context.device.get("type") if isinstance(context.device, dict) else None
    return clickstream.Visitor(
        # Redaction has removed what isn't an address.
        ip=_text(context.ip, _MAX_TEXT_CHARS),
        user_agent=_text(context.user_agent, _MAX_USER_AGENT_CHARS, cut=True),
        bot=is_bot(agent),
        # ISO 3166-1 alpha-2, as in CloudFront's header. Servers also send names.
        country=country.upper() if country and re.fullmatch("[A-Za-z]{2}", country) else None,
        region=_text(location.get("region"), _MAX_TEXT_CHARS),
        city=_text(location.get("city"), _MAX_TEXT_CHARS),
        time_zone=_text(context.timezone, _MAX_TEXT_CHARS),
        device=_device(device, agent),
    )


def _of_request(facts: RequestFacts) -> clickstream.Visitor:
    viewer = facts.viewer
    return clickstream.Visitor(
        ip=facts.ip,
        user_agent=viewer.user_agent,
        bot=facts.bot,
        country=viewer.country,
        region=viewer.region,
        city=viewer.city,
        time_zone=viewer.time_zone,
        device=viewer.device,
    )


def _device(stated: object, agent: str | None) -> Device | None:
    if isinstance(stated, str) and (device := _DEVICE_TYPES.get(stated.lower())):
        return device
    return next((device for rule, device in _DEVICES if re.search(rule, agent or "")), None)


def _text(value: object, max_chars: int, *, cut: bool = False) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    if len(value) > max_chars:
        return value[:max_chars] if cut else None
    return value
