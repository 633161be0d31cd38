"""Read a signed snapshot at the edge, at most once a minute in each execution environment.

A snapshot is a JWS in compact serialization (RFC 7515) with RS256. Its payload is
`{"name", "issued_at", "content"}`. Another function that reads snapshots packages this file,
`__init__.py`, and from edge_auth: `__init__.py`, `digest.py`, `encoding.py`, `errors.py`, `jws.py`
and `rsa.py`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from edge_auth import jws
from edge_auth.digest import sha256
from edge_auth.encoding import base64url_decode, parse_json_object
from edge_auth.errors import (
    EdgeAuthError,
    FetchError,
    SignatureError,
    SnapshotUnavailableError,
    TokenError,
    UnknownKeyError,
)
from edge_auth.rsa import PublicKey

# While reads fail. A process without a snapshot denies requests meanwhile.
RETRY_S: Final = 10
MAX_AGE_DURING_FAILURES_S: Final = 600


def open_snapshot(
    data: bytes, name: str, keys: Mapping[str, PublicKey]
) -> tuple[float, dict[str, object]]:
    """Return issue time and content of a snapshot.

    Raises:
        UnknownKeyError: The snapshot names none of `keys`.
        SignatureError: The key didn't sign the snapshot.
        TokenError: The snapshot is malformed or has another name.
    """
    signing_input, _, signature = data.strip().rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    key = keys.get(jws.parse_key_id(header))
    if key is None:
        raise UnknownKeyError
    digest = sha256(signing_input).digest()
    if not key.verify_signature(digest, base64url_decode(signature)):
        raise SignatureError
    document = parse_json_object(base64url_decode(payload))
    issued_at, content = document.get("issued_at"), document.get("content")
    # One key signs several snapshots, so the name is signed too.
    if (
        document.get("name") != name
        or not isinstance(issued_at, (int, float))
        or not isinstance(content, dict)
    ):
        raise TokenError
    return issued_at, content


class SnapshotReader[Content]:
    """The newest snapshot of one name."""

    def __init__(
        self,
        name: str,
        *,
        keys: Mapping[str, PublicKey],
        fetch: Callable[[str], bytes],
        parse: Callable[[dict[str, object]], Content],
        clock: Callable[[], float],
        max_age_s: float,
        max_failure_s: float = MAX_AGE_DURING_FAILURES_S,
    ) -> None:
        """`clock` returns seconds since the epoch: a monotonic one can stop with the environment.

        While reads fail, the last content counts for `max_failure_s`.

        `fetch` returns the body of a 200 response, as `edge_auth.jwks.Fetch`. `parse` raises
        TokenError for malformed content.
        """
        self._name = name
        self._keys = keys
        self._fetch = fetch
        self._parse = parse
        self._clock = clock
        self._max_age_s = max_age_s
        self._max_failure_s = max_failure_s
        self._data = b""
        self._issued_at = 0.0
        self._content: Content | None = None
        self._read_at = self._tried_at = -MAX_AGE_DURING_FAILURES_S * 1.0

    def read(self, url: str) -> Content:
        """Return the content of the snapshot at `url`, read at most `max_age_s` ago.

        If reading fails, return the last content for `max_failure_s`.

        Raises:
            SnapshotUnavailableError: No snapshot was read in that time.
        """
        now = self._clock()
        # A negative age: the clock was set back, so the age isn't known.
        is_fresh = 0 <= now - self._read_at < self._max_age_s
        if not is_fresh and not 0 <= now - self._tried_at < RETRY_S:
            self._tried_at = now
            self._update(url, now)
        is_usable = 0 <= now - self._read_at < self._max_failure_s
        if self._content is None or not is_usable:
            raise SnapshotUnavailableError
        return self._content

    def _update(self, url: str, now: float) -> None:
        try:
            data = self._fetch(url)
            if data != self._data:
                issued_at, content = open_snapshot(data, self._name, self._keys)
                if issued_at < self._issued_at:
                    # A deleted or replaced object must not undo a change that was seen.
                    raise FetchError(code="snapshot_older")
                self._content, self._issued_at = self._parse(content), issued_at
                self._data = data
        except EdgeAuthError:
            return
        self._read_at = now
