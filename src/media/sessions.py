"""Decide which sessions of a member play media: the ones that began to play most recently. Pure."""

from dataclasses import dataclass
from typing import Final

from media.errors import SessionReplacedError

#: Replaced sessions that are remembered. A session ends with its refresh token, after 30 days.
MAX_REPLACED: Final = 50


@dataclass(frozen=True, slots=True)
class Sessions:
    """A member's sessions by `origin_jti`, the newest first. `version` counts the changes."""

    playing: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    version: int = 0


def admit(known: Sessions, session: str, most: int) -> Sessions:
    """Return the sessions after one of them asked for cookies; `known` itself without a change.

    A new session replaces the one that began first if more than `most` would play.

    Raises:
        SessionReplacedError: Newer sessions have replaced this one.
    """
    if session in known.playing[:most]:
        return known
    if session in known.playing or session in known.replaced:
        raise SessionReplacedError("Newer sessions of this member play media.")
    playing = (session, *known.playing)
    replaced = (*playing[most:], *known.replaced)[:MAX_REPLACED]
    return Sessions(playing[:most], replaced, known.version + 1)
