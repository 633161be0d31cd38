"""Publish a signed snapshot: read, change, sign and replace one object in Amazon S3.

The object is the only copy. It is replaced only if it hasn't changed meanwhile ("conditional
writes" of Amazon S3), so that concurrent changes are all kept.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from edge_auth.encoding import base64url_encode
from signed_snapshot.document import read_document
from signed_snapshot.errors import SnapshotConflictError, SnapshotStoreError

ATTEMPTS: Final = 5
#: CloudFront doesn't store the object: with Minimum TTL 0, it obeys no-store ("Manage how long
#: content stays in the cache").
CACHE_CONTROL: Final = "no-store"
#: DER of a SubjectPublicKeyInfo with a 2048-bit RSA key (RFC 3279, section 2.3.1): what precedes
#: the modulus, and the exponent 65537 after it.
_DER_START: Final = bytes.fromhex(
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100"
)
_DER_END: Final = bytes.fromhex("0203010001")

type Change = Callable[[dict[str, Any]], dict[str, Any]]
"""content, empty for a new snapshot -> new content"""


class Publisher:
    """The snapshot of one name, in one object, signed with one RSA key of AWS KMS."""

    def __init__(self, s3: Any, kms: Any, *, bucket: str, key: str, name: str, key_id: str) -> None:
        """`s3` and `kms` are boto3 clients. `key` is the object's key, `key_id` that of KMS."""
        self._s3 = s3
        self._kms = kms
        self._object = {"Bucket": bucket, "Key": key}
        self._name = name
        self._key_id = key_id

    def update(self, change: Change, now: int) -> dict[str, Any]:
        """Apply `change` to the content, publish the result at `now` (epoch seconds), return it.

        Raises:
            SnapshotConflictError: Other changes were faster, ATTEMPTS times.
            SnapshotStoreError: S3 or KMS refused a call, or the object isn't a snapshot.
        """
        try:
            for _ in range(ATTEMPTS):
                document, condition = self._load()
                content = change(document.get("content", {}))
                # A reader refuses a snapshot that is older than one it has seen.
                issued_at = max(now, int(document.get("issued_at", 0)) + 1)
                data = self._sign(content, issued_at)
                if self._store(data, condition):
                    return content
        except (ClientError, BotoCoreError) as error:
            raise SnapshotStoreError(
                f"Can't publish the snapshot {self._name}: {error}. The previous one stays valid. "
                "Try again."
            ) from error
        raise SnapshotConflictError(
            f"The snapshot {self._name} changed {ATTEMPTS} times during this change. Try again."
        )

    def read(self) -> dict[str, Any]:
        """Return the published content, empty for a new snapshot.

        Raises:
            SnapshotStoreError: S3 refused the call, or the object isn't a snapshot.
        """
        try:
            content: dict[str, Any] = self._load()[0].get("content", {})
        except (ClientError, BotoCoreError) as error:
            raise SnapshotStoreError(f"Can't read the snapshot {self._name}: {error}.") from error
        return content

    def public_keys(self) -> dict[str, Any]:
        """Return the JWK set with the key that verifies the snapshots.

        Raises:
            SnapshotStoreError: KMS refused the call, or the key isn't an RSA key with 2048 bits.
        """
        try:
            der = self._kms.get_public_key(KeyId=self._key_id)["PublicKey"]
        except (ClientError, BotoCoreError) as error:
            raise SnapshotStoreError(f"Can't read the public key: {error}.") from error
        modulus = der[len(_DER_START) : -len(_DER_END)]
        if der != _DER_START + modulus + _DER_END or len(modulus) != 256:
            raise SnapshotStoreError(f"The KMS key {self._key_id} must have the spec RSA_2048.")
        jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._key_id, "e": "AQAB"}
        return {"keys": [jwk | {"n": base64url_encode(modulus)}]}

    def delete(self) -> None:
        """Delete all versions of the object.

        Raises:
            SnapshotStoreError: S3 refused a call.
        """
        bucket, key = self._object["Bucket"], self._object["Key"]
        try:
            pages = self._s3.get_paginator("list_object_versions").paginate(
                Bucket=bucket, Prefix=key
            )
            for page in pages:
                for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    self._s3.delete_object(
                        Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"]
                    )
        except (ClientError, BotoCoreError) as error:
            raise SnapshotStoreError(f"Can't delete s3://{bucket}/{key}: {error}.") from error

    def _load(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the present document, and the condition under which it may be replaced.

        Raises:
            SnapshotStoreError: The object isn't a snapshot of this name.
            ClientError: S3 refused the call.
        """
        try:
            response = self._s3.get_object(**self._object)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            return {}, {"IfNoneMatch": "*"}
        document = _parse(response["Body"].read())
        if document.get("name") != self._name or not isinstance(document.get("content"), dict):
            raise SnapshotStoreError(
                f"s3://{self._object['Bucket']}/{self._object['Key']} isn't a snapshot with the "
                f"name {self._name}. Restore an earlier version of the object."
            )
        return document, {"IfMatch": response["ETag"]}

    def _sign(self, content: dict[str, Any], issued_at: int) -> bytes:
        header = {"alg": "RS256", "kid": self._key_id}
        document = {"name": self._name, "issued_at": issued_at, "content": content}
        signing_input = ".".join(
            base64url_encode(json.dumps(it, separators=(",", ":")).encode())
            for it in (header, document)
        )
        signature = self._kms.sign(
            KeyId=self._key_id,
            Message=hashlib.sha256(signing_input.encode()).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
        )["Signature"]
        return f"{signing_input}.{base64url_encode(signature)}".encode()

    def _store(self, data: bytes, condition: dict[str, str]) -> bool:
        """Replace the object. Return False if it has changed meanwhile.

        Raises:
            ClientError: S3 refused the call for another reason.
        """
        try:
            self._s3.put_object(
                **self._object,
                Body=data,
                ContentType="application/jose",
                CacheControl=CACHE_CONTROL,
                **condition,
            )
        except ClientError as error:
            # 412 after another write, 409 during one (S3, "Conditional writes").
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (404, 409, 412):
                raise
            return False
        return True


def _parse(data: bytes) -> dict[str, Any]:
    """Return a snapshot's document; empty if the data isn't a snapshot."""
    try:
        return read_document(data)
    except ValueError:
        return {}
