"""Privacy policies: a source's rules for addresses, fields, consent and opt-out signals.

`policy_for` evaluates the rules for a request. `validation` checks consent with the policy, and
`redaction` applies the rest before anything is stored or logged.
"""

import hmac
import re
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from clickstream.event import Context, InvalidEventError, View
from edge_ingest.cloudfront_event import Request, Viewer
from edge_ingest.json_rewrite import rewrite
from edge_ingest.settings import IpRule, Privacy

type _Path = tuple[str, ...]

# Keys in which SDKs send an IP address: `context.ip` (Segment), `request_ip` (RudderStack).
_ADDRESS_KEYS: Final = ("ip", "request_ip")
_QUOTED_ADDRESS_KEYS: Final = (b'"ip"', b'"request_ip"')
_ADDRESS_PARENTS: Final[tuple[_Path, ...]] = (
    (),
    ("context",),
    ("properties",),
    ("traits",),
    ("context", "traits"),
)
# Fields that identify or locate a person; dropped if the visitor opts out of tracking.
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
# Bounded quantifiers: longer runs aren't addresses, and matching stays linear in the text's size.
_ADDRESSES: Final = (
    r"(?P<four>\d{1,3}(?:\.\d{1,3}){3})"
    r"|[0-9a-fA-F:]{0,39}::[0-9a-fA-F:.]{0,45}|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}"
)
_WITHHELD: Final = "withheld: the source's privacy rules can't be applied to this text"


class Policy(NamedTuple):
    """A source's rules for one request. `anonymous`: the visitor opts out of tracking.

    `day` is the date of the request; it is part of the salt of daily hashes.
    """

    rules: Privacy
    anonymous: bool
    salt: str | None
    day: str

    def redact_ip(self, ip: str) -> str | None:
        """Return the storable form of an IP address: truncated, hashed or None."""
        if self.anonymous:
            return None
        return _redact_ip(ip, self.rules.ip, self._daily_salt)

    def redact_viewer(self, viewer: Viewer) -> Viewer:
        """Return the storable facts about the viewer."""
        if self.anonymous:
            return viewer._replace(user_agent=None, region=None, city=None, time_zone=None)
        return viewer

    def applies_to(self, body: bytes) -> bool:
        r"""Return whether a rule can apply to any key in a JSON text, by a search in its bytes.

        Most bodies contain none of the keys, and then no event has to be parsed. A key can contain
        escape sequences, so any `\u` counts as a match.
        """
        if self.anonymous or (b"\\" in body and b"\\u" in body):
            return True
        # Both address keys end alike: most bodies need only this search.
        if b'ip"' in body and any(key in body for key in _QUOTED_ADDRESS_KEYS):
            return True
        return any(name in body for name in _quoted_keys(self.rules))

    def redact_object(self, event: dict[str, Any]) -> dict[str, Any]:
        """Apply the rules, in place, to an event or to `{"context": ...}` of a batch."""
        for path in _ADDRESS_PARENTS:
            for parent in _find(event, path):
                self._redact_addresses(parent)
        for path in self.rules.drop:
            for parent, key in _targets(event, path):
                del parent[key]
        for path in self.rules.hash:
            for parent, key in _targets(event, path):
                parent[key] = _digest(self.salt or "", _as_text(parent[key]))
        if self.anonymous:
            self._anonymise(event)
        return event

    def redact_event(self, text: bytes) -> bytes:
        """Apply the rules to an event's JSON text.

        Raises:
            InvalidEventError: The text can't be parsed, so the rules can't be applied.
        """
        return rewrite(text, self.redact_object) if self.applies_to(text) else text

    def redact_rejected(self, text: bytes, max_chars: int) -> str:
        """Return the storable part of a rejected event's text, at most `max_chars` characters."""
        try:
            return rewrite(text, self._redact_if_object).decode()[:max_chars]
        except InvalidEventError:
            pass  # not a JSON object, so field rules can't be applied
        if self.anonymous or self.rules.drop or self.rules.hash or b"\\u" in text:
            return _WITHHELD
        # Search beyond the limit, so that an address across the limit still matches.
        start = text[: max_chars + 64].decode("utf-8", "backslashreplace")
        return re.sub(_ADDRESSES, _unspecified_address, start)[:max_chars]

    def consent_check(self, batch: Context | None) -> Callable[[View], None] | None:
        """Return a function that checks an event's consent, or None if the source needs none.

        The event's context takes precedence over the context of its batch. Formats: Segment's
        `consent.categoryPreferences` and RudderStack's `consentManagement` lists. The function
        raises InvalidEventError if the visitor denied a category, or stated nothing and the source
        denies in this case.
        """
        categories, deny_missing = self.rules.consent
        if not categories:
            return None

        def check(view: View) -> None:
            for category in categories:
                answer = _consent(view, batch, category)
                if answer is False or (answer is None and deny_missing):
                    raise InvalidEventError("consent_denied", "the visitor didn't give consent")

        return check

    def daily_visitor_id(self, request: Request, write_key: str) -> str:
        """Return an id for a visitor without one. It changes daily and can't be reversed."""
        salt = self.salt or write_key
        address = self.redact_ip(request.client_ip)
        return _digest(f"{salt}\0{self.day}", f"{address}\0{request.header('user-agent')}")

    def _redact_if_object(self, event: object) -> dict[str, Any]:
        if not isinstance(event, dict):
            raise InvalidEventError("invalid_event", "the event isn't an object")
        return self.redact_object(event)

    @property
    def _daily_salt(self) -> str:
        return f"{self.salt or ''}\0{self.day}"

    def _redact_addresses(self, parent: dict[str, Any]) -> None:
        for key in _ADDRESS_KEYS:
            if key in parent:
                value = parent[key]
                redacted = self.redact_ip(value) if isinstance(value, str) else None
                if redacted is None:
                    del parent[key]
                else:
                    parent[key] = redacted

    def _anonymise(self, event: dict[str, Any]) -> None:
        for path in _IDENTIFYING:
            for parent, key in _targets(event, path):
                del parent[key]
        anonymous_id = event.pop("anonymousId", None)
        if anonymous_id is not None and self.salt:
            # Joins a visitor's events within a day only.
            event["anonymousId"] = _digest(self._daily_salt, _as_text(anonymous_id))


def policy_for(rules: Privacy, request: Request, salt: str | None, now: datetime) -> Policy:
    """Return the policy for a request, from the source's rules and the visitor's opt-out signals.

    Global Privacy Control §4: `Sec-GPC: 1`. Tracking Preference Expression §5.2: `DNT: 1`.
    """
    gpc = rules.gpc == "anonymise" and request.header("sec-gpc") == "1"
    dnt = rules.dnt == "anonymise" and request.header("dnt") == "1"
    return Policy(rules, gpc or dnt, salt, now.date().isoformat())


def _redact_ip(ip: str, rule: IpRule, daily_salt: str) -> str | None:
    if rule == "drop":
        return None
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        packed = socket.inet_pton(family, ip)
    except (OSError, ValueError):
        return None
    # RFC 4291 §2.5.5.2: IPv4-mapped IPv6 address.
    if packed[:12] == bytes(10) + b"\xff\xff":
        family, packed = socket.AF_INET, packed[12:]
    if rule == "hash":
        return _digest(daily_salt, packed.hex())
    # Zero the last octet of IPv4, and the bits after the /48 of a site in IPv6 (RFC 6177).
    prefix_bytes = 3 if family == socket.AF_INET else 6
    return socket.inet_ntop(family, packed[:prefix_bytes] + bytes(len(packed) - prefix_bytes))


def _digest(key: str, value: str) -> str:
    return hmac.digest(key.encode(), value.encode("utf-8", "replace"), "sha256").hex()[:32]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _quoted_keys(rules: Privacy) -> tuple[bytes, ...]:
    """Return one key per rule that a text must contain: the last key of its path except `*`."""
    keys = [
        next((key for key in reversed(path) if key != "*"), "") for path in rules.drop + rules.hash
    ]
    return tuple(msgspec.json.encode(key) if key else b"{" for key in keys)


def _find(event: object, path: _Path) -> list[dict[str, Any]]:
    """Return the objects at a path. A list in the path matches with each of its items."""
    if isinstance(event, list):
        return [value for item in event for value in _find(item, path)]
    if not isinstance(event, dict):
        return []
    if not path:
        return [event]
    keys = list(event) if path[0] == "*" else [path[0]]
    return [value for key in keys for value in _find(event.get(key), path[1:])]


def _targets(event: object, path: _Path) -> list[tuple[dict[str, Any], str]]:
    """Return the parent object and key of each field that a path matches."""
    return [
        (parent, key)
        for parent in _find(event, path[:-1])
        for key in (list(parent) if path[-1] == "*" else [path[-1]])
        if key in parent
    ]


def _unspecified_address(match: re.Match[str]) -> str:
    return "0.0.0.0" if match["four"] else "::"  # noqa: S104 - a placeholder, not an address to bind


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
            categories = management.get(key)
            if isinstance(categories, list) and category in categories:
                return answer
    return None
