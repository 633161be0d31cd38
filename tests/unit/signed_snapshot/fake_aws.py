"""Amazon S3 and AWS KMS in memory, with the operations that a publisher calls."""

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.unit.edge_auth import issuer


def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # a part of it
        "Operation",
    )


class FakeS3:
    """One bucket. `others` are objects that another writer stores just before the next writes."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.others: list[bytes] = []
        self.metadata: dict[str, Any] = {}
        self.failure: ClientError | None = None

    def get_object(self, **asked: Any) -> dict[str, Any]:
        if self.failure is not None:
            raise self.failure
        if asked["Key"] not in self.objects:
            raise refused("NoSuchKey", 404)
        data = self.objects[asked["Key"]]
        return {"Body": io.BytesIO(data), "ETag": hashlib.md5(data).hexdigest()}

    def put_object(self, **options: Any) -> None:
        key = options["Key"]
        if self.others:
            self.objects[key] = self.others.pop(0)
        present = self.objects.get(key)
        if "IfNoneMatch" in options and present is not None:
            raise refused("PreconditionFailed", 412)
        if "IfMatch" in options and (
            present is None or options["IfMatch"] != hashlib.md5(present).hexdigest()
        ):
            raise refused("PreconditionFailed", 412)
        assert "IfMatch" in options or "IfNoneMatch" in options
        self.objects[key] = options["Body"]
        self.metadata = options

    def get_paginator(self, name: str) -> "FakeS3":
        assert name == "list_object_versions"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        yield {
            "Versions": [
                {"Key": it, "VersionId": "1"} for it in self.objects if it == asked["Prefix"]
            ]
        }

    def delete_object(self, **asked: Any) -> None:
        del self.objects[asked["Key"]]


class FakeKms:
    """A key of AWS KMS: the test issuer's key with the same name."""

    def __init__(self, name: str = "snapshots", bits: int = 2_048) -> None:
        self.key = issuer.private_key(name, bits)

    def get_public_key(self, **_: Any) -> dict[str, bytes]:
        der = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {"PublicKey": der}

    def sign(self, **asked: Any) -> dict[str, bytes]:
        assert asked["MessageType"] == "DIGEST"
        assert asked["SigningAlgorithm"] == "RSASSA_PKCS1_V1_5_SHA_256"
        digest = Prehashed(hashes.SHA256())
        return {"Signature": self.key.sign(asked["Message"], padding.PKCS1v15(), digest)}
