"""Privacy policies: a source's rules for addresses, fields, consent and opt-out signals.

`policy_for` evaluates the rules for a request. `validation` checks consent with the policy, and
`redaction` applies the rest before anything is stored or logged.
"""

import re
import socket
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from clickstream import times
from clickstream.digest import hmac_digest
from clickstream.event import Context, InvalidEventError, View
from edge_ingest.addresses import has_ip_name, packed, redact_addresses, redact_text
from edge_ingest.cloudfront_event import Request, Viewer
from edge_ingest.json_rewrite import rewrite
from edge_ingest.settings import IpRule, Privacy

type _Path = tuple[str, ...]

# Fields that remain if the visitor opts out of tracking, as plain values. Every other field is
# removed, because any key of an SDK, a plugin or a page can identify a person. A source's `keep`
# adds paths.
_ANONYMOUS: Final[tuple[_Path, ...]] = (
    *((name,) for name in ("type", "event", "name", "category", "messageId", "channel")),
    *(("context", "app", name) for name in ("name", "version", "build")),
    *(("context", "library", name) for name in ("name", "version")),
    *(("context", "campaign", name) for name in ("source", "medium", "name")),
    ("context", "os", "name"),
    ("context", "device", "type"),
)
# Times remain if they are times, and addresses of pages without user, query and fragment.
_ANONYMOUS_TIMES: Final[tuple[_Path, ...]] = tuple(
    (name,) for name in ("timestamp", "originalTimestamp", "sentAt")
)
_ANONYMOUS_URLS: Final[tuple[_Path, ...]] = tuple(
    (*parent, name)
    for parent in (("context", "page"), ("properties",))
    for name in ("path", "url", "referrer")
)
# RFC 3986 §3: an address without an authority, such as `data:` and `blob:`, isn't a page's.
_OPAQUE: Final = r"\s*[A-Za-z][A-Za-z0-9+.-]*:(?!//)"
_USER: Final = r"(^|//)[^/]*@"

# Bounded quantifiers: longer runs aren't addresses, and matching stays linear in the text's size.
# The look-ahead rejects most characters at once.
_ADDRESSES: Final = (
    r"(?=[\da-fA-F]{0,4}+[.:])(?:(?P<four>\d{1,3}+(?:\.\d{1,3}+){3})"
    r"|(?:[0-9a-fA-F]{1,4}+:){1,7}+:[0-9a-fA-F:.]{0,45}|::[0-9a-fA-F:.]{0,45}"
    r"|(?:[0-9a-fA-F]{1,4}+:){7}[0-9a-fA-F]{1,4})"
)
_WITHHELD: Final = "withheld: the source's privacy rules can't be applied to this text"


class Policy(msgspec.Struct, frozen=True):
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
            return Viewer(country=viewer.country, device=viewer.device)
        if self._searches_everywhere and viewer.user_agent:
            agent = redact_text(viewer.user_agent, self.redact_ip)
            return msgspec.structs.replace(viewer, user_agent=agent)
        return viewer

    def applies_to(self, body: bytes) -> bool:
        r"""Return whether a rule can apply to any key in a JSON text, by a search in its bytes.

        Most bodies contain none of the keys, and then no event has to be parsed. A key can contain
        escape sequences, so any `\u` counts as a match, and any `\/` if a rule's key contains `/`
        (RFC 8259 §7: every other character has one escape sequence besides `\u`).
        """
        if self.anonymous or self._searches_everywhere:
            return True
        # The search for a single byte is several times as fast as the others.
        if b"\\" in body and (
            b"\\u" in body or (any("/" in key for key in _keys(self.rules)) and b"\\/" in body)
        ):
            return True
        if has_ip_name(body):
            return True
        has_paths = self.rules.drop or self.rules.hash
        return bool(has_paths) and any(name in body for name in _quoted_keys(self.rules))

    def redact_object(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event, or `{"context": ...}` of a batch, as the rules permit storing it.

        The function changes `event`, and returns a new object if the visitor opts out.
        """
        redact_addresses(event, self.redact_ip, everywhere=self._searches_everywhere)
        for path in self.rules.drop:
            for parent, key in _targets(event, path):
                del parent[key]
        for path in self.rules.hash:
            for parent, key in _targets(event, path):
                parent[key] = _digest(self.salt or "", _as_text(parent[key]))
        return self._anonymised(event) if self.anonymous else event

    def redact_event(self, text: bytes) -> bytes:
        """Apply the rules to an event's JSON text.

        Raises:
            InvalidEventError: The text can't be parsed, so the rules can't be applied.
        """
        return rewrite(text, self.redact_object) if self.applies_to(text) else text

    def redact_rejected(self, text: bytes) -> str:
        """Return the storable part of a rejected event's text."""
        try:
            return rewrite(text, self._redact_if_object).decode()
        except InvalidEventError:
            pass  # not a JSON object, so field rules can't be applied
        if self.anonymous or self.rules.drop or self.rules.hash or b"\\u" in text:
            return _WITHHELD
        try:
            storable = text.decode()
        except UnicodeDecodeError:
            # In one piece: `backslashreplace` for UTF-8 is much slower.
            storable = text.decode("latin-1")
            return _without_addresses(storable).encode("ascii", "backslashreplace").decode()
        return _without_addresses(storable)

    def consent_check(self, batch: Context | None) -> Callable[[View], None] | None:
        """Return a function that checks an event's consent, or None if the source needs none.

        The event's context takes precedence over the context of its batch. Formats: Segment's
        `consent.categoryPreferences` and RudderStack's `consentManagement` lists. The function
        raises InvalidEventError if the visitor denied a category, or stated nothing and the source
        denies in this case.
        """
        if not self.rules.consent.categories:
            return None

        def check(view: View) -> None:
            if not self._permitted(view.context, batch):
                raise InvalidEventError("consent_denied", "the visitor didn't give consent")

        return check

    def permits_context(self, batch: Context | None) -> bool:
        """Return whether consent permits storing the context of a batch.

        Without it, events are accepted by the consent in their own context only.
        """
        return self._permitted(batch)

    def _permitted(self, *contexts: Context | None) -> bool:
        consent = self.rules.consent
        answers = [_consent(contexts, category) for category in consent.categories]
        return not (False in answers or (consent.deny_missing and None in answers))

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

    @property
    def _searches_everywhere(self) -> bool:
        return self.rules.ip != "truncate"

    def _anonymised(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the fields that remain if the visitor opts out of tracking."""
        remaining: dict[str, Any] = {}
        for path in _ANONYMOUS:
            _copy(event, remaining, path, _plain)
        for path in _ANONYMOUS_TIMES:
            _copy(event, remaining, path, _time)
        for path in _ANONYMOUS_URLS:
            _copy(event, remaining, path, _page_address)
        for path in self.rules.keep:
            _copy(event, remaining, path, lambda value: value)
        anonymous_id = event.get("anonymousId")
        if anonymous_id is not None and self.salt:
            # Joins a visitor's events within a day only.
            remaining["anonymousId"] = _digest(self._daily_salt, _as_text(anonymous_id))
        return remaining


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
    address = packed(ip)
    if address is None:
        return None
    family, number = address
    if rule == "hash":
        return _digest(daily_salt, number.hex())
    # Zero the last octet of IPv4, and the bits after the /48 of a site in IPv6 (RFC 6177).
    prefix_bytes = 3 if family == socket.AF_INET else 6
    return socket.inet_ntop(family, number[:prefix_bytes] + bytes(len(number) - prefix_bytes))


def _digest(key: str, value: str) -> str:
    return hmac_digest(key.encode(), value.encode("utf-8", "replace"), "sha256").hex()[:32]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _keys(rules: Privacy) -> list[str]:
    """Return one key per rule that a text must contain: the last key of its path except `*`."""
    return [
        next((key for key in reversed(path) if key != "*"), "") for path in rules.drop + rules.hash
    ]


def _quoted_keys(rules: Privacy) -> tuple[bytes, ...]:
    return tuple(msgspec.json.encode(key) if key else b"{" for key in _keys(rules))


def _copy(
    event: dict[str, Any], remaining: dict[str, Any], path: _Path, storable: Callable[[Any], Any]
) -> None:
    """Copy `storable(value)` of the fields at a path to `remaining`. A None isn't copied."""
    keys = list(event) if path[0] == "*" else [path[0]]
    for key in keys:
        value = event.get(key)
        if len(path) == 1:
            if (copy := storable(value)) is not None:
                remaining[key] = copy
        elif isinstance(value, dict):
            inner = remaining.get(key, {})
            _copy(value, inner, path[1:], storable)
            if inner:
                remaining[key] = inner


def _plain(value: object) -> object:
    return None if isinstance(value, dict | list) else value


def _time(value: object) -> object:
    return value if times.parse(value) is not None else None


def _page_address(value: object) -> str | None:
    """Return a URL or path without its user, query and fragment (RFC 3986 §3)."""
    if not isinstance(value, str) or re.match(_OPAQUE, value):
        return None
    return re.sub(_USER, r"\1", value.partition("#")[0].partition("?")[0])


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


def _without_addresses(text: str) -> str:
    return re.sub(_ADDRESSES, _unspecified_address, text)


def _unspecified_address(match: re.Match[str]) -> str:
    return "0.0.0.0" if match["four"] else "::"  # noqa: S104 - a placeholder, not an address to bind


def _consent(contexts: Iterable[Context | None], category: str) -> bool | None:
    for context in contexts:
        answer = _answer(context.consent, context.consent_management, category) if context else None
        if answer is not None:
            return answer
    return None


def _answer(consent: object, management: object, category: str) -> bool | None:
    """Return the answer for a category, or None without one. Only `true` is consent."""
    if isinstance(consent, dict):
        preferences = consent.get("categoryPreferences")
        if isinstance(preferences, dict) and preferences.get(category) is not None:
            return preferences[category] is True
    if isinstance(management, dict):
        for key, answer in (("deniedConsentIds", False), ("allowedConsentIds", True)):
            if _names(management.get(key), category):
                return answer
    return None


def _names(categories: object, category: str) -> bool:
    """Return whether a list contains a category. Earlier SDKs of RudderStack send an object."""
    return categories == category or (
        isinstance(categories, list | dict) and category in categories
    )
