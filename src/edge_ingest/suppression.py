"""Suppression: refuse the events of persons who must not be stored, for example after an erasure.

The snapshot of the sources contains keyed fingerprints of their ids. Nothing of an event is stored
but its position and a code.
"""

from collections.abc import Iterable
from typing import Final

from clickstream.event import InvalidEventError, View
from edge_ingest.errors import SUPPRESSED, SUPPRESSED_MESSAGE
from signed_snapshot.persons import Persons, ids_in, repeats_ids

# Fingerprints of ids that are kept, so that an active visitor's are computed once.
_MAX_KNOWN: Final = 2_000


class Suppressed(Persons):
    """The suppressed persons."""

    def __init__(self, key: str, persons: Iterable[str]) -> None:
        """`persons` are fingerprints with the secret `key`."""
        super().__init__(key, persons, _MAX_KNOWN)

    def check(self, view: View, text: bytes) -> None:
        """Check an event, and its text: the view has the last value of a repeated key.

        Raises:
            InvalidEventError: The event belongs to a suppressed person.
        """
        identifiers = [view.user_id, view.anonymous_id, view.previous_id]
        if repeats_ids(text):
            identifiers += ids_in(text)
        for identifier in identifiers:
            if identifier is not None and str(identifier) in self:
                raise InvalidEventError(SUPPRESSED, SUPPRESSED_MESSAGE)
