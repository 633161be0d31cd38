"""The age of a cached answer: fresh, stale, or too old. Pure."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

#: An answer is fresh for this time, more or less by JITTER, so that answers don't expire together.
FRESH_S: Final = 30.0
JITTER: Final = 0.2
#: A stale answer serves while another caller loads, and if the database doesn't answer.
KEPT_S: Final = 3_600
#: An answer of a replica that hasn't the last change yet.
BEHIND_S: Final = 1.0
#: Part of each key: increase it when the form of the entries changes.
SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached document with its time of loading and of expiry, in seconds since the epoch."""

    document: Any
    loaded_at: float
    fresh_until: float

    def is_fresh(self, now: float) -> bool:
        """Return whether the answer needs no other load."""
        return now < self.fresh_until

    def age_s(self, now: float) -> int:
        """Return the age for the header Age, in whole seconds."""
        return max(0, int(now - self.loaded_at))

    def fresh_for_s(self, now: float) -> int:
        """Return the rest of the time for which the answer is fresh, in whole seconds."""
        return max(0, int(self.fresh_until - now))


def key(generation: int, kind: str, detail: object) -> str:
    """Return the cache key of an answer.

    Args:
        generation: The number of the last change that this Region knows.
        kind: "courses", "course", "subjects" or "teachers".
        detail: Everything else that decides the answer. It is hashed, so that a visitor can't
            choose a key.
    """
    text = json.dumps(detail, sort_keys=True, default=str)
    return f"courses:{SCHEMA}:{generation}:{kind}:{sha256(text.encode()).hexdigest()[:40]}"


def fresh_until(now: float, chance: float, *, is_behind: bool) -> float:
    """Return the end of an answer's fresh time.

    Args:
        now: Seconds since the epoch.
        chance: A random number from 0 to 1.
        is_behind: The replica that answered doesn't have the last change yet.
    """
    return now + (BEHIND_S if is_behind else FRESH_S * (1 + JITTER * (2 * chance - 1)))


def encode(entry: Entry) -> bytes:
    """Return the text of an entry for the cache."""
    return json.dumps(
        [entry.loaded_at, entry.fresh_until, entry.document],
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def decode(data: bytes | None) -> Entry | None:
    """Return the entry of a text, or None for a missing or damaged one."""
    try:
        match json.loads(data or b"null"):
            case [float(loaded_at), float(until), document]:
                return Entry(document, loaded_at, until)
    except (ValueError, RecursionError):
        return None
    return None
