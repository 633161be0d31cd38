"""What a source lets through to storage: decided here, before anything is stored or logged."""

import hmac
import re
import socket
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from clickstream.event import Context, RefusalError, View
from edge_ingest.rewriting import rewrite
from edge_ingest.settings import IpRule, Privacy
from edge_ingest.viewer import Request, Viewer

type _Path = tuple[str, ...]

# Where SDKs and servers put an address: `context.ip` (Segment), `request_ip` (RudderStack).
_ADDRESS_KEYS: Final = ("ip", "request_ip")
_ADDRESS_NEEDLES: Final = (b'"ip"', b'"request_ip"')
_ADDRESS_PLACES: Final[tuple[_Path, ...]] = (
    (),
    ("context",),
    ("properties",),
    ("traits",),
    ("context", "traits"),
)
# What is left away where the visitor says "do not track me": what names or finds a person.
_IDENTIFYING: Final[tuple[_Path, ...]] = (
    ("userId",),
    ("previousId",),
    ("rudderId",),
    ("traits",),
    ("context", "traits"),
    ("context", "userAgent"),
    ("context", "userAgentData"),
    ("context", "location"),
    ("context", "network"),
    ("context", "device", "id"),
    ("context", "device", "advertisingId"),
    ("context", "device", "name"),
    ("context", "sessionId"),
)
# Bounded everywhere: no address is longer, and no text makes it look twice as long.
_ADDRESSES: Final = (
    r"(?P<four>\d{1,3}(?:\.\d{1,3}){3})"
    r"|[0-9a-fA-F:]{0,39}::[0-9a-fA-F:.]{0,45}|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}"
)
_WITHHELD: Final = "withheld: the source's privacy rules cannot be applied to this text"


class Policy(NamedTuple):
    """A source's rules for one request. `anonymous`: its visitor asked not to be tracked."""

    rules: Privacy
    anonymous: bool
    salt: str | None
    day: str

    def address(self, ip: str) -> str | None:
        """Return what is stored of an address."""
        if self.anonymous:
            return None
        return _address(ip, self.rules.ip, self._daily)

    def viewer(self, viewer: Viewer) -> Viewer:
        """Return what is stored of what CloudFront says."""
        if self.anonymous:
            return viewer._replace(user_agent=None, region=None, city=None, time_zone=None)
        return viewer

    def touches(self, body: bytes) -> bool:
        """Tell whether a rule can apply to anything in the body, by its bytes alone.

        Most bodies hold no key that a rule names, and then no event is taken apart. A key can be
        spelt with escapes, so any `\\u` counts as a yes.
        """
        if self.anonymous or (b"\\" in body and b"\\u" in body):
            return True
        # One search for the end that both keys of addresses have, and for most bodies no other.
        if b'ip"' in body and any(key in body for key in _ADDRESS_NEEDLES):
            return True
        return any(name in body for name in _needles(self.rules))

    def change(self, event: dict[str, Any]) -> dict[str, Any]:
        """Apply the rules to an event or to a batch's `{"context": ...}`, in place."""
        for place in _ADDRESS_PLACES:
            for holder in _find(event, place):
                self._change_addresses(holder)
        for path in self.rules.drop:
            for holder, key in _targets(event, path):
                del holder[key]
        for path in self.rules.hash:
            for holder, key in _targets(event, path):
                holder[key] = _digest(self.salt or "", _plain(holder[key]))
        if self.anonymous:
            self._anonymise(event)
        return event

    def event(self, text: bytes) -> bytes:
        """Apply the rules to an event's text.

        Raises:
            RefusalError: the text cannot be read, so no rule can be kept.
        """
        return rewrite(text, self.change) if self.touches(text) else text

    def refused(self, text: bytes, limit: int) -> str:
        """Return what is kept of the text of a refused event: at most `limit` characters."""
        try:
            return rewrite(text, self._change_object).decode()[:limit]
        except RefusalError:
            pass  # not an object, or no JSON: then there are no fields to apply rules to
        if self.anonymous or self.rules.drop or self.rules.hash or b"\\u" in text:
            return _WITHHELD
        # An address that the cut goes through must still be seen as one.
        start = text[: limit + 64].decode("utf-8", "backslashreplace")
        return re.sub(_ADDRESSES, _erased, start)[:limit]

    def consents(self, view: View, batch: Context | None) -> None:
        """Check the categories of consent that the source needs.

        The event's own context answers, else that of its batch: Segment's
        `consent.categoryPreferences`, or RudderStack's `consentManagement` lists.

        Raises:
            RefusalError: a category was denied, or nothing was said where a yes is needed.
        """
        for category in self.rules.consent.categories:
            answer = _consent(view, batch, category)
            if answer is False or (answer is None and self.rules.consent.deny_missing):
                raise RefusalError("consent_denied", "the visitor's consent is missing")

    def _change_object(self, event: object) -> dict[str, Any]:
        if not isinstance(event, dict):
            raise RefusalError("invalid_event", "the event is not an object")
        return self.change(event)

    @property
    def _daily(self) -> str:
        return f"{self.salt or ''}\0{self.day}"

    def _change_addresses(self, holder: dict[str, Any]) -> None:
        for key in _ADDRESS_KEYS:
            if key in holder:
                value = holder[key]
                kept = self.address(value) if isinstance(value, str) else None
                if kept is None:
                    del holder[key]
                else:
                    holder[key] = kept

    def _anonymise(self, event: dict[str, Any]) -> None:
        for path in _IDENTIFYING:
            for holder, key in _targets(event, path):
                del holder[key]
        anonymous_id = event.pop("anonymousId", None)
        if anonymous_id is not None and self.salt:
            # The same visitor on the same day, and nobody after that.
            event["anonymousId"] = _digest(self._daily, _plain(anonymous_id))


def policy(rules: Privacy, request: Request, salt: str | None, now: datetime) -> Policy:
    """Return a source's rules for a request, its visitor's signals read.

    Global Privacy Control §4: `Sec-GPC: 1`. Tracking Preference Expression §5.2: `DNT: 1`.
    """
    gpc = rules.gpc == "anonymise" and request.header("sec-gpc") == "1"
    dnt = rules.dnt == "anonymise" and request.header("dnt") == "1"
    return Policy(rules, gpc or dnt, salt, now.date().isoformat())


def visitor_of_the_day(salt: str, day: str, address: str | None, agent: str | None) -> str:
    """Return an id for a visitor who brings none: another one each day, and no way back."""
    return _digest(f"{salt}\0{day}", f"{address}\0{agent}")


def _address(ip: str, rule: IpRule, daily: str) -> str | None:
    if rule == "drop":
        return None
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        packed = socket.inet_pton(family, ip)
    except (OSError, ValueError):
        return None
    # RFC 4291 §2.5.5.2: an IPv4 address that is mapped into IPv6.
    if packed[:12] == bytes(10) + b"\xff\xff":
        family, packed = socket.AF_INET, packed[12:]
    if rule == "hash":
        return _digest(daily, packed.hex())
    # The last octet of IPv4; of IPv6 what follows the /48 that a site is given (RFC 6177).
    kept = 3 if family == socket.AF_INET else 6
    return socket.inet_ntop(family, packed[:kept] + bytes(len(packed) - kept))


def _digest(key: str, value: str) -> str:
    return hmac.digest(key.encode(), value.encode("utf-8", "replace"), "sha256").hex()[:32]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _needles(rules: Privacy) -> tuple[bytes, ...]:
    """Return the keys without which no rule applies: of each path its last one that is no `*`."""
    named = [
        next((key for key in reversed(path) if key != "*"), "") for path in rules.drop + rules.hash
    ]
    return tuple(msgspec.json.encode(key) if key else b"{" for key in named)


def _find(event: object, path: _Path) -> list[dict[str, Any]]:
    """Return the objects at a path; a list stands for each of its items."""
    if isinstance(event, list):
        return [found for item in event for found in _find(item, path)]
    if not isinstance(event, dict):
        return []
    if not path:
        return [event]
    keys = list(event) if path[0] == "*" else [path[0]]
    return [found for key in keys for found in _find(event.get(key), path[1:])]


def _targets(event: object, path: _Path) -> list[tuple[dict[str, Any], str]]:
    """Return each holder and key that a path names."""
    return [
        (holder, key)
        for holder in _find(event, path[:-1])
        for key in (list(holder) if path[-1] == "*" else [path[-1]])
        if key in holder
    ]


def _erased(match: re.Match[str]) -> str:
    return "0.0.0.0" if match["four"] else "::"  # noqa: S104 - what stands for an address, not one to bind


def _consent(view: View, batch: Context | None, category: str) -> bool | None:
    for context in (view.context, batch):
        answer = _answer(context.consent, context.consent_management, category) if context else None
        if answer is not None:
            return answer
    return None


def _answer(consent: object, management: object, category: str) -> bool | None:
    if isinstance(consent, dict):
        preferences = consent.get("categoryPreferences")
        if isinstance(preferences, dict) and isinstance(preferences.get(category), bool):
            return bool(preferences[category])
    if isinstance(management, dict):
        for key, answer in (("deniedConsentIds", False), ("allowedConsentIds", True)):
            listed = management.get(key)
            if isinstance(listed, list) and category in listed:
                return answer
    return None
