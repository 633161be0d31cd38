"""Persons whose events must not be stored, by keyed fingerprints of their ids.

An event belongs to a person if its `userId`, `anonymousId` or `previousId` is one of the ids.
"""

import json
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from signed_snapshot.keyed import keyed_fingerprint

# The ids in a text that can't be parsed: too long, not JSON, or with a field of a wrong type.
_ID: Final = rb'"(?:userId|anonymousId|previousId)"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+)'
_NAMES: Final = ("userId", "anonymousId", "previousId")
_QUOTED_NAMES: Final = tuple(f'"{name}"'.encode() for name in _NAMES)
# An escaped character from A to z, in a key as well (RFC 8259 §7).
_ESCAPED_CHARACTER: Final = rb"\\u00(4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])"


class Persons:
    """Suppressed persons. Remembers up to `max_known` ids of others."""

    def __init__(self, key: str, fingerprints: Iterable[str], max_known: int) -> None:
        """`fingerprints` are those of the ids with the secret `key`."""
        self._key = key
        self._fingerprints = frozenset(fingerprints)
        self._max_known = max_known
        self._others: set[str] = set()

    def __contains__(self, identifier: str) -> bool:
        """Return whether an id belongs to a suppressed person."""
        if identifier in self._others:
            return False
        if keyed_fingerprint(self._key, identifier) in self._fingerprints:
            return True
        if len(self._others) >= self._max_known:
            self._others.clear()
        self._others.add(identifier)
        return False

    def among(self, identifiers: AbstractSet[str]) -> set[str]:
        """Return those of many ids that belong to a suppressed person."""
        return {it for it in identifiers - self._others if it in self}

    def occurs_in(self, text: bytes) -> bool:
        """Return whether a text that isn't a valid event contains the id of a suppressed person."""
        texts = [text]
        if b"\\u" in text:
            texts.append(re.sub(_ESCAPED_CHARACTER, lambda code: bytes([int(code[1], 16)]), text))
        for match in (match for one in texts for match in re.finditer(_ID, one)):
            try:
                identifier = json.loads(match[1])
            except (ValueError, RecursionError):
                continue
            if str(identifier) in self:
                return True
        return False


def repeats_ids(text: bytes) -> bool:
    """Return whether a text can have an id twice, of which a parser keeps the last."""
    return b"\\u" in text or any(text.count(name) > 1 for name in _QUOTED_NAMES)


def ids_in(text: bytes) -> list[str]:
    """Return every id at the top of a JSON object, also those of repeated keys.

    Raises:
        ValueError: The text isn't JSON.
    """
    pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    return [str(value) for name, value in pairs if name in _NAMES and isinstance(value, str)]
