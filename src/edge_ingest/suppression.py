"""Suppression: refuse the events of persons who must not be stored, for example after an erasure.

The snapshot of the sources contains keyed fingerprints of their ids. An event belongs to a person
if its `userId`, `anonymousId` or `previousId` is one of them. Nothing of it is stored but its
position and a code.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from clickstream.event import InvalidEventError, View
from edge_ingest.errors import SUPPRESSED, SUPPRESSED_MESSAGE
from signed_snapshot.keyed import keyed_fingerprint

# The ids in a text that can't be parsed: too long, not JSON, or with a field of a wrong type.
_ID: Final = rb'"(?:userId|anonymousId|previousId)"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+)'
_NAMES: Final = ("userId", "anonymousId", "previousId")
_QUOTED_NAMES: Final = tuple(f'"{name}"'.encode() for name in _NAMES)
# An escaped character from A to z, in a key as well (RFC 8259 §7).
_ESCAPED_CHARACTER: Final = rb"\\u00(4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])"
# Fingerprints of ids that are kept, so that an active visitor's are computed once.
_MAX_KNOWN: Final = 2_000


class Suppressed:
    """The suppressed persons."""

    def __init__(self, key: str, persons: Iterable[str]) -> None:
        """`persons` are fingerprints with the secret `key`."""
        self._key = key
        self._persons = frozenset(persons)
        self._known: dict[str, bool] = {}

    def __contains__(self, identifier: str) -> bool:
        """Return whether an id belongs to a suppressed person."""
        known = self._known.get(identifier)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = keyed_fingerprint(self._key, identifier) in self._persons
            self._known[identifier] = known
        return known

    def check(self, view: View, text: bytes) -> None:
        """Check an event, and its text: the view has the last value of a repeated key.

        Raises:
            InvalidEventError: The event belongs to a suppressed person.
        """
        identifiers = [view.user_id, view.anonymous_id, view.previous_id]
        if b"\\u" in text or any(text.count(name) > 1 for name in _QUOTED_NAMES):
            identifiers += _ids_in(text)
        for identifier in identifiers:
            if identifier is not None and str(identifier) in self:
                raise InvalidEventError(SUPPRESSED, SUPPRESSED_MESSAGE)

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


def _ids_in(text: bytes) -> list[str]:
    """Return every id at the top of a JSON object, also those of repeated keys."""
    pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    return [str(value) for name, value in pairs if name in _NAMES and isinstance(value, str)]
