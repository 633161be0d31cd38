"""Select the cache behavior of a request by its path patterns."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from aws_emulator.cloudfront.model import CacheBehavior
from aws_emulator.cloudfront.wildcards import matches_wildcards

_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")


def matches(pattern: str, path: str) -> bool:
    """Return whether a normalised path matches a path pattern."""
    # Cache behavior settings, "Path pattern": "You can optionally include a slash (/) at the
    # beginning of the path pattern … CloudFront behavior is the same with or without the leading
    # /." "Path patterns are case-sensitive".
    rooted = pattern if pattern.startswith(("/", "*")) else "/" + pattern
    return matches_wildcards(rooted, path)


def _decode_unreserved(match: re.Match[str]) -> str:
    byte = unquote_to_bytes(match.group(0))[0]
    return chr(byte) if byte in _UNRESERVED else match.group(0).upper()


def normalise(path: str) -> str:
    """Return the normalised form of a path, for matching only.

    "Path normalization": "CloudFront normalizes URI paths consistent with RFC 3986 and then matches
    the path with the correct cache behavior. Once the cache behavior is matched, CloudFront sends
    the raw URI path to the origin." RFC 3986 §6.2.2: decode escapes of unreserved characters, write
    other escapes in capitals, remove dot segments. CloudFront also collapses repeated slashes.
    """
    if "%" in path:
        path = _ESCAPE.sub(_decode_unreserved, path)
    if "//" not in path and "/." not in path:
        return path
    kept_segments: list[str] = []
    segments = [segment for segment in path.split("/") if segment]
    for segment in segments:
        if segment == "..":
            del kept_segments[-1:]
        elif segment != ".":
            kept_segments.append(segment)
    folder = path.endswith("/") or (bool(segments) and segments[-1] in {".", ".."})
    return "/" + "/".join(kept_segments) + ("/" if folder and kept_segments else "")


def select_behavior(behaviors: Iterable[CacheBehavior], path: str) -> CacheBehavior:
    """Return the cache behavior for a raw path. The default one is last and matches every path."""
    # "The requested path is compared with path patterns in the order in which cache behaviors are
    # listed in the distribution. The first match determines which cache behavior is applied."
    normalised = normalise(path)
    return next(
        behavior
        for behavior in behaviors
        if behavior.path_pattern == "*" or matches(behavior.path_pattern, normalised)
    )
