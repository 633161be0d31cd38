"""The keys with which CloudFront calls a local load balancer, as a listener rule has on AWS."""

import time
from dataclasses import dataclass, field
from typing import Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

#: Between two readings of the secrets.
INTERVAL_S: Final = 1.0


@dataclass
class OriginKeys:
    """The accepted keys: first `key`, later also the secrets whose names begin with `prefix`.

    The secrets are read only when a request has an unknown key, so a withdrawn key stays valid
    until then. Without a `key` all requests are admitted, without a `prefix` it never changes.
    """

    key: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    _known: frozenset[str] = frozenset()
    _read_s: float = field(default=0.0)

    def __post_init__(self) -> None:
        """Accept the first key."""
        self._known = frozenset({self.key})

    def admit(self, key: str | None) -> bool:
        """Return whether a request with this header X-Origin-Verify is forwarded."""
        if not self.key or key in self._known:
            return True
        if self.prefix and time.monotonic() - self._read_s > INTERVAL_S:
            self._known = self._read() or self._known
            self._read_s = time.monotonic()
        return key in self._known

    def _read(self) -> frozenset[str]:
        secrets = boto3.client(
            "secretsmanager",
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator accepts any key
        )
        values = set()
        for name in (f"{self.prefix}-A", f"{self.prefix}-B"):
            try:
                values.add(str(secrets.get_secret_value(SecretId=name)["SecretString"]))
            except (BotoCoreError, ClientError):
                continue
        return frozenset(values)
