"""Addresses in events: fields that SDKs, servers and pages give names of addresses, and texts.

`privacy` calls `redact_addresses` with the source's rule `ip`. The rule `truncate` applies to names
that end in the word `ip`. With `drop` and `hash`, a source asks for more: other names of addresses,
and addresses as values or in texts. The search takes time, so the default doesn't pay for it.
"""

import re
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

# The ends of further names, without punctuation and in lower case. CGI's and proxies' variables
# (REMOTE_ADDR, X-Forwarded-For, Forwarded, CloudFront-Viewer-Address), and names of SDKs.
_IN_ONE_WORD: Final = tuple(
    f"{owner}ip"
    for owner in (
        *("client", "connecting", "device", "host", "local", "origin", "public", "real", "remote"),
        *("request", "server", "source", "user", "viewer", "visitor", "wan"),
    )
)
_FURTHER: Final = (
    *("ips", "ipaddr", "ipaddress", "ipaddresses", "ipv4", "ipv6", "ipv4address", "ipv6address"),
    *("clientaddr", "clientaddress", "forwarded", "forwardedfor", "hostaddress", "peeraddress"),
    *("remoteaddr", "remoteaddress", "remotehost", "useraddress", "vieweraddress"),
)
# Version numbers can have four parts.
_VERSIONS: Final = ("version", "build")
# A run of the characters of addresses with two separators, which few words have. Bounded and
# possessive quantifiers keep the search linear.
_RUN: Final = r"[0-9a-fA-F]{0,4}[.:][0-9a-fA-F]{0,4}[.:][0-9a-fA-F.:]*+"
_MAX_RUN_CHARS: Final = 64
# What every address in a text has; most texts have neither.
_MAYBE: Final = r"\d\.\d|:[0-9a-fA-F]{0,4}:"
_MAX_NAME_CHARS: Final = 32
# Redacting a text takes less time than a longer search for a reason.
_MAX_SEARCHED: Final = 1_000
# No JSON value: the field or item is removed.
_REMOVED: Final = object()

type _Redact = Callable[[str], str | None]


def is_ip_name(name: str) -> bool:
    """Return whether a name ends in the word `ip`: `ip`, `$ip`, `clientIp`, `X-Real-IP`.

    Not `zip` or `membership`.
    """
    if name[-2:] not in ("ip", "Ip", "IP"):
        return False
    before = name[-3:-2]
    if not before.isalpha() or (before.islower() and name[-2] == "I"):
        return True
    return name.lower().endswith(_IN_ONE_WORD)


def has_ip_name(text: bytes) -> bool:
    r"""Return whether a JSON text without `\u` has a string that ends in the word `ip`.

    The answer can be wrong for a text with thousands of strings that end alike, such as `zip`, and
    for one with a backslash before the end.
    """
    # One search in the lower case is faster than one for each form.
    lower = text.lower()
    end = -1
    for _ in range(_MAX_SEARCHED):
        end = lower.find(b'ip"', end + 1)
        if end < 0:
            return False
        start = lower.rfind(b'"', 0, end) + 1
        name = text[start : end + 2]
        # The character before `ip` can be an escaped one, such as a line feed.
        if b"\\" in name or is_ip_name(name.decode("utf-8", "replace")):
            return True
    return True


def redact_addresses(event: dict[str, Any], redact: _Redact, *, everywhere: bool) -> None:
    """Replace each address in an event by `redact(address)`, or remove it if that is None.

    `everywhere`: not only in fields whose name ends in `ip`. Changes `event`.
    """
    unvisited: list[dict[str, Any] | list[Any]] = [event]
    while unvisited:
        container = unvisited.pop()
        children = container.values() if isinstance(container, dict) else container
        unvisited += [child for child in children if isinstance(child, dict | list)]
        if isinstance(container, dict):
            for name in list(container):
                _redact_field(container, name, redact, everywhere=everywhere)
        elif everywhere:
            values = [_redacted_text(value, redact) for value in container]
            container[:] = [value for value in values if value is not _REMOVED]


def redact_text(text: str, redact: _Redact) -> str | None:
    """Return a text without addresses, or None if it is an address that `redact` removes."""
    redacted = _redacted_text(text, redact)
    return redacted if isinstance(redacted, str) else None


def packed(ip: str) -> tuple[socket.AddressFamily, bytes] | None:
    """Return the family and the bytes of an IP address, or None if the text isn't one.

    An IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2) counts as IPv4.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        address = socket.inet_pton(family, ip)
    except (OSError, ValueError):
        return None
    if address[:12] == bytes(10) + b"\xff\xff":
        return socket.AF_INET, address[12:]
    return family, address


def _is_address_name(name: str) -> bool:
    # The cache must not keep long names.
    return _ends_like_address(name[-_MAX_NAME_CHARS:])


@lru_cache(maxsize=1024)
def _ends_like_address(name: str) -> bool:
    return "".join(filter(str.isalnum, name)).lower().endswith(_FURTHER)


def _is_version(name: str) -> bool:
    return name.lower().endswith(_VERSIONS)


def _redact_field(fields: dict[str, Any], name: str, redact: _Redact, *, everywhere: bool) -> None:
    value = fields[name]
    if is_ip_name(name) or (everywhere and _is_address_name(name)):
        redacted = _redacted_address(value, redact)
    elif everywhere and ("." in name or ":" in name) and redact_text(name, redact) != name:
        redacted = _REMOVED
    elif everywhere and not _is_version(name):
        redacted = _redacted_text(value, redact)
    else:
        return
    if redacted is _REMOVED:
        del fields[name]
    else:
        fields[name] = redacted


def _redacted_address(value: object, redact: _Redact) -> object:
    """Return what remains of a value under an address's name. A truth value is no address."""
    if isinstance(value, bool):
        return value
    redacted = redact(value) if isinstance(value, str) else None
    return _REMOVED if redacted is None else redacted


def _redacted_text(value: object, redact: _Redact) -> object:
    """Return a value without addresses, if it is a text: the whole text, or parts of it."""
    if not isinstance(value, str) or not re.search(_MAYBE, value):
        return value
    if _is_address(value.strip()):
        return _redacted_address(value.strip(), redact)
    return re.sub(_RUN, _without_address, value)


def _is_address(text: str) -> bool:
    return ("." in text or ":" in text) and packed(text) is not None


def _without_address(match: re.Match[str]) -> str:
    """Return a run of characters with the unspecified address in place of an address.

    RFC 1122 §3.2.1.3: 0.0.0.0. RFC 4291 §2.5.2: `::`. A part of a path or of a word, such as the
    version in `Chrome/156.0.0.0`, isn't an address. It can have a port, and a full stop after it.
    """
    run, text = match.group(), match.string
    before, after = text[match.start() - 1 : match.start()], text[match.end() : match.end() + 1]
    is_part = (run[0] != ":" and (before.isalnum() or before in tuple("_/-"))) or (
        run[-1] != ":" and (after.isalnum() or after in tuple("_-"))
    )
    if is_part or len(run) > _MAX_RUN_CHARS:
        return run
    for part in (run, run.rstrip("."), run.strip(".:")):
        if ":" in part and _is_address(part):
            return run.replace(part, "::")
    return ":".join("0.0.0.0" if _is_address(it.strip(".")) else it for it in run.split(":"))  # noqa: S104 - not an address to bind
