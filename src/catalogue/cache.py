"""Adapter of Valkey. The cache may be absent at any time: every error is a miss."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from valkey.exceptions import ValkeyError

from catalogue.settings import Address

if TYPE_CHECKING:
    from botocore.credentials import Credentials

TIMEOUT_S: Final = 0.05
#: After an error no command is sent for this time, so that a lost cache costs one timeout.
PAUSE_S: Final = 1.0
GENERATION: Final = "courses:generation"
#: The lock of a loader that ended without removing it.
LOCK_MS: Final = 3_000


class Cache:
    """A cache with timeouts of 50 ms. No method fails."""

    def __init__(
        self, connect: Callable[[], Any] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`connect` returns a Valkey client, or None without a cache."""
        self._connect = connect
        self._clock = clock
        self._client: Any = None
        self._paused_until = 0.0

    def get(self, key: str) -> bytes | None:
        """Return a value, or None."""
        value = self._call("get", key)
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes, seconds: float) -> None:
        """Store a value for some time."""
        self._call("set", key, value, px=int(seconds * 1000))

    def lock(self, key: str) -> bool:
        """Return whether the caller may load a key's value: one loader at a time, or no cache."""
        if not self.is_available():
            return True
        taken = self._call("set", f"{key}:lock", b"1", nx=True, px=LOCK_MS)
        return bool(taken) or not self.is_available()

    def unlock(self, key: str) -> None:
        """Let the next loader in."""
        self._call("delete", f"{key}:lock")

    def generation(self) -> int:
        """Return the number of the last change that this Region knows, or 0."""
        value = self.get(GENERATION)
        return int(value) if value and value.isdigit() else 0

    def raise_generation(self, number: int) -> None:
        """Make the answers from before a change unreachable.

        Two changes may arrive in the other order: the larger number stays.
        """
        if number > self.generation():
            self._call("set", GENERATION, str(number).encode())

    def close(self) -> None:
        """Close the client; the next command opens another one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def is_available(self) -> bool:
        """Return whether the next command is sent."""
        return self._connect is not None and self._clock() >= self._paused_until

    def _call(self, command: str, *arguments: object, **options: object) -> Any:
        if not self.is_available() or self._connect is None:
            return None
        try:
            if self._client is None:
                self._client = self._connect()
            return getattr(self._client, command)(*arguments, **options)
        except (ValkeyError, OSError):
            self._paused_until = self._clock() + PAUSE_S
            return None


def plain_client(address: Address) -> Any:
    """Return a client of a single server without TLS."""
    import valkey
    from valkey.backoff import NoBackoff
    from valkey.retry import Retry

    return valkey.Valkey(
        address.host,
        address.port,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # A pooled connection that the server closed meanwhile is opened again at once.
        retry=Retry(NoBackoff(), 1),
        client_name="catalogue",
    )


def cluster_client(address: Address, user: str, token: Callable[[], str]) -> Any:
    """Return a client of ElastiCache Serverless: cluster mode, TLS and IAM authentication.

    Args:
        address: The cache's endpoint.
        user: The ElastiCache user.
        token: Returns an IAM token, see `iam_token`.
    """
    import valkey
    from valkey.credentials import CredentialProvider

    class _Tokens(CredentialProvider):
        def get_credentials(self) -> tuple[str, str]:
            return user, token()

    return valkey.ValkeyCluster(
        host=address.host,
        port=address.port,
        ssl=True,
        socket_timeout=TIMEOUT_S,
        # TLS takes longer than a command.
        socket_connect_timeout=10 * TIMEOUT_S,
        credential_provider=_Tokens(),
        cluster_error_retry_attempts=1,
    )


def iam_token(cache_name: str, user: str, region: str) -> str:
    """Return a token for IAM authentication, signed offline; valid for 15 minutes.

    "The IAM authentication token" is the presigned request `Action=connect` without its scheme
    (Amazon ElastiCache, "Authenticating with IAM"); a serverless cache also has ResourceType.
    """
    import boto3
    from botocore.model import ServiceId
    from botocore.signers import RequestSigner

    session = boto3.Session()
    signer = RequestSigner(
        ServiceId("elasticache"),
        region,
        "elasticache",
        "v4",
        cast("Credentials", session.get_credentials()),
        session.events,
    )
    url = f"https://{cache_name}/?Action=connect&User={user}&ResourceType=ServerlessCache"
    request = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
    signed: str = signer.generate_presigned_url(
        request, operation_name="connect", expires_in=900, region_name=region
    )
    return signed.removeprefix("https://")
