"""Which cache behaviour answers a path, by the rules of "Path pattern"."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from aws_emulator.cloudfront.model import Behaviour

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


@lru_cache(maxsize=512)
def _compile(pattern: str) -> re.Pattern[str]:
    # Cache behavior settings, "Path pattern": "You can optionally include a slash (/) at the
    # beginning of the path pattern … CloudFront behavior is the same with or without the leading
    # /." "* matches 0 or more characters. ? matches exactly 1 character."
    rooted = pattern if pattern.startswith(("/", "*")) else "/" + pattern
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(mark) or re.escape(mark) for mark in rooted), re.DOTALL)


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path (as normalised) falls under a path pattern."""
    # "Path patterns are case-sensitive".
    return _compile(pattern).fullmatch(path) is not None


def _decode_unreserved(found: re.Match[str]) -> str:
    byte = unquote_to_bytes(found.group(0))[0]
    return chr(byte) if byte in _UNRESERVED else found.group(0).upper()


def normalise(path: str) -> str:
    """Bring a path into the form that is compared with patterns; the origin gets it as it came.

    "Path pattern", "Path normalization": "CloudFront normalizes URI paths consistent with RFC 3986
    and then matches the path with the correct cache behavior. Once the cache behavior is matched,
    CloudFront sends the raw URI path to the origin." RFC 3986 §6.2.2: escapes of unreserved
    characters are decoded, the others written in capitals, dot segments removed; CloudFront also
    takes several slashes as one.
    """
    if "%" in path:
        path = _ESCAPE.sub(_decode_unreserved, path)
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    segments = [segment for segment in path.split("/") if segment]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    folder = path.endswith("/") or (bool(segments) and segments[-1] in {".", ".."})
    return "/" + "/".join(kept) + ("/" if folder and kept else "")


def select(behaviours: Iterable[Behaviour], path: str) -> Behaviour:
    """Give the behaviour of a raw path. The default one stands last and matches everything."""
    # "The requested path is compared with path patterns in the order in which cache behaviors are
    # listed in the distribution. The first match determines which cache behavior is applied."
    wanted = normalise(path)
    return next(
        behaviour
        for behaviour in behaviours
        if behaviour.pattern == "*" or matches(behaviour.pattern, wanted)
    )
