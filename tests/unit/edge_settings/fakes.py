"""Lambda, Cognito and CloudFormation in memory, as far as edge_settings asks them."""

import json
from dataclasses import dataclass, field

import pytest

from edge_settings import aws
from edge_settings.errors import PackageError, SigningKeysError
from edge_settings.requests import ClientUrlsRequest

KEYS: dict[str, object] = {
    "keys": [
        {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": "one",
            "e": "AQAB",
            # 2048 bits: the highest and the lowest are set, as in every RSA modulus.
            "n": "gAAA" + "A" * 334 + "AAAB",
        }
    ]
}


@dataclass
class FakeAws:
    """What was built, what was published, and what CloudFormation was told."""

    packages: dict[str, bytes] = field(default_factory=dict)
    published: list[bytes] = field(default_factory=list)
    urls: list[ClientUrlsRequest] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)
    keys_answer: bool = True

    def built_package(self, version_arn: str) -> bytes:
        try:
            return self.packages[version_arn]
        except KeyError as error:
            raise PackageError(f"The package of {version_arn} cannot be fetched.") from error

    def publish(self, version_arn: str, package: bytes) -> str:
        # Lambda publishes no new version of code that did not change.
        if not self.published or self.published[-1] != package:
            self.published.append(package)
        return f"{version_arn.rpartition(':')[0]}:{len(self.published) + 1}"

    def signing_keys(self, uri: str) -> dict[str, object]:
        if not self.keys_answer:
            raise SigningKeysError(f"The signing keys at {uri} cannot be fetched.")
        return KEYS

    def set_client_urls(self, request: ClientUrlsRequest) -> None:
        self.urls.append(request)

    def answer_cloudformation(self, _url: str, document: dict[str, object]) -> None:
        self.told.append(json.loads(json.dumps(document)))


def install(monkeypatch: pytest.MonkeyPatch, fake: FakeAws) -> None:
    """Put the fake in place of the adapter's functions."""
    for name in (
        "built_package",
        "publish",
        "signing_keys",
        "set_client_urls",
        "answer_cloudformation",
    ):
        monkeypatch.setattr(aws, name, getattr(fake, name))
