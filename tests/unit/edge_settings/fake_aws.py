"""Lambda, Cognito and CloudFormation in memory, with the operations that edge_settings calls."""

import json
from dataclasses import dataclass, field
from typing import Final

import pytest

from edge_settings import aws_clients, handler
from edge_settings.errors import ConsumerReadError, PackageError, SigningKeysError
from edge_settings.resource_properties import AppClientProperties

JWKS: Final[dict[str, object]] = {
    "keys": [
        {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": "one",
            "e": "AQAB",
            # 2048 bits: the highest and the lowest are set, as in every RSA modulus.
            "n": "gAAA" + "A" * 334 + "AAAQ",
        }
    ]
}
JWKS_TIME: Final = 1_790_000_000


@dataclass
class FakeAws:
    """Replaces the functions of `aws_clients` and records their effects.

    `responses` contains the custom resource responses sent to CloudFormation.
    """

    packages: dict[str, bytes] = field(default_factory=dict)
    published: list[bytes] = field(default_factory=list)
    app_clients: list[AppClientProperties] = field(default_factory=list)
    responses: list[dict[str, object]] = field(default_factory=list)
    jwks_available: bool = True
    #: Name of a parameter -> generation and secret.
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)
    created_secrets: int = 0
    #: Regions whose stream no event source mapping reads, and Regions that don't answer.
    without_consumer: set[str] = field(default_factory=set)
    unavailable: set[str] = field(default_factory=set)

    def download_package(self, version_arn: str) -> bytes:
        try:
            return self.packages[version_arn]
        except KeyError as error:
            raise PackageError(f"Can't download the package of {version_arn}.") from error

    def publish(self, version_arn: str, package: bytes) -> str:
        # Lambda doesn't publish a new version for unchanged code.
        if not self.published or self.published[-1] != package:
            self.published.append(package)
        return f"{version_arn.rpartition(':')[0]}:{len(self.published) + 1}"

    def download_jwks(self, uri: str) -> tuple[dict[str, object], int]:
        if not self.jwks_available:
            raise SigningKeysError(f"Can't download the signing keys from {uri}.")
        return JWKS, JWKS_TIME

    def secret(self, name: str, generation: str) -> str:
        if self.secrets.get(name, ("", ""))[0] != generation:
            self.created_secrets += 1
            self.secrets[name] = (generation, f"{self.created_secrets:064x}")
        return self.secrets[name][1]

    def delete_secret(self, name: str) -> None:
        self.secrets.pop(name, None)

    def has_consumer(self, stream_arn: str) -> bool:
        region = stream_arn.split(":")[3]
        if region in self.unavailable:
            raise ConsumerReadError(f"Can't read the mappings of {stream_arn}.")
        return region not in self.without_consumer

    def update_app_client(self, client: AppClientProperties) -> None:
        self.app_clients.append(client)

    def send_response(self, _url: str, document: dict[str, object]) -> None:
        self.responses.append(json.loads(json.dumps(document)))


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeAws) -> None:
    """Replace the functions of `aws_clients` by the fake's methods."""
    for name in (
        "download_package",
        "publish",
        "download_jwks",
        "update_app_client",
        "secret",
        "delete_secret",
        "has_consumer",
    ):
        monkeypatch.setattr(aws_clients, name, getattr(fake, name))
    monkeypatch.setattr(handler, "send_response", fake.send_response)
