"""The sources in force: the deployment's, or those of the signed snapshot that replaces them.

`src/collector_sources` publishes the snapshot. A process reads it at most once in `max_age_s`, in
the request that finds it too old. If reads fail, the last snapshot counts for as long as they fail.
A process that has never read one accepts the deployment's sources, and answers 503 to other write
keys: an SDK drops the events of a request that gets 401.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from edge_auth.errors import FetchError, SnapshotUnavailableError, TokenError
from edge_auth.jwks import parse_moduli, public_keys
from edge_auth.rsa import python_backend
from edge_ingest import settings as settings_module
from edge_ingest.errors import ServiceUnavailableError, SettingsError
from edge_ingest.http_client import Connect, Connection, TransportError, endpoint_of_url
from edge_ingest.settings import Limits, Settings, Source
from signed_snapshot import fingerprint
from signed_snapshot.reader import SnapshotReader

if TYPE_CHECKING:
    from edge_ingest.suppression import Suppressed

NAME: Final = "sources"
PATH: Final = "/snapshots/sources"
#: A nearby edge location answers within some 50 ms, and asks S3 in the home Region.
FETCH_TIMEOUT_S: Final = 1.0
# After a failed read, requests don't wait for another one for this time; each failure doubles it.
FIRST_AVOIDANCE_S: Final = 10.0
MAX_AVOIDANCE_S: Final = 320.0

type Fetch = Callable[[str], bytes]


class Sources:
    """The enabled sources, by write key or by its fingerprint, and the suppressed persons."""

    __slots__ = ("_by_fingerprint", "_by_key", "_is_complete", "max_body_bytes", "suppressed")

    def __init__(
        self,
        by_key: Mapping[str, Source],
        by_fingerprint: Mapping[str, Source] | None = None,
        suppressed: "Suppressed | None" = None,
        *,
        is_complete: bool = True,
    ) -> None:
        """`is_complete`: a write key that isn't among these belongs to no source."""
        self._by_key = dict(by_key)
        self._by_fingerprint = by_fingerprint or {}
        self._is_complete = is_complete
        self.suppressed = suppressed
        sources = [*by_key.values(), *self._by_fingerprint.values()]
        self.max_body_bytes = max(
            (source.limits.batch_bytes for source in sources), default=Limits().batch_bytes
        )

    def find(self, write_key: str) -> Source | None:
        """Return the source of a write key, or None if no source has it.

        Raises:
            ServiceUnavailableError: A source that isn't known yet may have it.
        """
        source = self._by_key.get(write_key)
        if source is None and self._by_fingerprint:
            source = self._by_fingerprint.get(fingerprint("write_key", write_key))
            if source is not None:
                # Only keys of sources are kept, so the mapping stays small.
                source = self._by_key[write_key] = source._replace(write_key=write_key)
        if source is None and not self._is_complete:
            raise ServiceUnavailableError(
                "unavailable", "the collector can't read its sources; send the events again", 10
            )
        return source


class SourceDirectory:
    """The sources of one deployment, which the snapshot can replace."""

    def __init__(self, settings: Settings, fetch: Fetch | None, clock: Callable[[], float]) -> None:
        """`fetch` returns the body of a 200 response and raises FetchError.

        `clock` returns seconds since the epoch: a monotonic one can stop with the environment.
        """
        self._settings = settings
        self._reader: SnapshotReader[Sources] | None = None
        self._origin = ""
        if settings.snapshot is not None and fetch is not None:
            self._origin = settings.snapshot.origin
            self._reader = SnapshotReader(
                NAME,
                keys=public_keys(parse_moduli(settings.snapshot.jwks), python_backend),
                fetch=fetch,
                parse=self._parse,
                clock=clock,
                max_age_s=settings.snapshot.max_age_s,
                max_failure_s=float("inf"),
            )
        self._deployed = Sources(settings.sources, is_complete=self._reader is None)

    def current(self, distribution: str) -> Sources:
        """Return the sources in force. `distribution` is its domain name."""
        if self._reader is None:
            return self._deployed
        try:
            return self._reader.read(f"{self._origin or f'https://{distribution}'}{PATH}")
        except SnapshotUnavailableError:
            return self._deployed

    def _parse(self, content: dict[str, object]) -> Sources:
        """Return the sources in a snapshot's content.

        Raises:
            TokenError: The content is malformed, so the previous snapshot stays in force.
        """
        try:
            published = settings_module.parse_published(
                content.get("sources"), salted=self._settings.salt is not None
            )
        except SettingsError as error:
            raise TokenError from error
        persons = content.get("suppressed", [])
        if not isinstance(persons, list) or not all(isinstance(one, str) for one in persons):
            raise TokenError
        suppressed = None
        if persons and (key := self._settings.suppression_key):
            # Without a list, cold starts don't pay for it.
            from edge_ingest.suppression import Suppressed

            suppressed = Suppressed(key, persons)
        return Sources({}, published, suppressed)


class SnapshotFetch:
    """Fetch snapshots over one keep-alive connection, with a growing pause after failures."""

    def __init__(self, connect: Connect, clock: Callable[[], float]) -> None:
        """`clock` returns seconds since the epoch."""
        self._connect = connect
        self._clock = clock
        self._connection: Connection | None = None
        self._pause_s = 0.0
        self._pause_until = 0.0

    def __call__(self, url: str) -> bytes:
        """Return the body of a 200 response.

        Raises:
            FetchError: The request failed, the status isn't 200, or the pause isn't over.
        """
        # A long pause ahead means that the clock was set back.
        if 0 < self._pause_until - self._clock() <= MAX_AVOIDANCE_S:
            raise FetchError(code="snapshot_avoided")
        try:
            response = self._connection_to(url).get(PATH, FETCH_TIMEOUT_S)
            status = response.status
        except TransportError:
            status = 0
        if status != 200:
            self._pause_s = min(2 * self._pause_s or FIRST_AVOIDANCE_S, MAX_AVOIDANCE_S)
            self._pause_until = self._clock() + self._pause_s
            raise FetchError(code="snapshot_unreachable")
        self._pause_s = 0.0
        return response.body

    def _connection_to(self, url: str) -> Connection:
        endpoint = endpoint_of_url(url)
        if self._connection is None or self._connection.endpoint != endpoint:
            self._connection = Connection(endpoint, self._connect)
        return self._connection
