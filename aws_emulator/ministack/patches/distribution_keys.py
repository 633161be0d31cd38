"""Provision the public keys and key groups of CloudFront.

Gap: there is no resource type AWS::CloudFront::PublicKey or AWS::CloudFront::KeyGroup, although the
API has public keys and key groups. The API accepts any text as a key.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: both types exist and refuse keys that aren't RSA 2048 or ECDSA P-256.

Sources: CloudFront developer guide, "Create key pairs for your signers"; API reference,
CreatePublicKey, UpdatePublicKey and CreateKeyGroup; quotas on key groups.
"""

import base64
import binascii
import re
import time
import uuid
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_KEY: Final = "AWS::CloudFront::PublicKey"
_GROUP: Final = "AWS::CloudFront::KeyGroup"
TYPES: Final = frozenset({_KEY, _GROUP})
#: Quotas: "Public keys in a single key group".
_MAX_KEYS: Final = 5
_PEM: Final = re.compile(
    r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]+)\n-----END PUBLIC KEY-----"
)
_KEY_FIELDS: Final = ("CallerReference", "Name", "EncodedKey")
#: The beginnings of a SubjectPublicKeyInfo with RSA 2048 (RFC 3279, section 2.3.1) and with ECDSA
#: P-256 (RFC 5480, section 2.1).
_DER_STARTS: Final = (
    bytes.fromhex("30820122300d06092a864886f70d01010105000382010f00"),
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"),
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register a provisioner for both types."""
    service = Symbols(
        "ministack.services.cloudfront",
        "_key_groups",
        "_key_groups_using",
        "_kg_id",
        "_pk_id",
        "_public_keys",
        "_public_keys_using",
    )
    gateway = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    gateway["_RESOURCE_HANDLERS"].setdefault(_KEY, _key_provisioner(service))
    gateway["_RESOURCE_HANDLERS"].setdefault(_GROUP, _group_provisioner(service))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _key_provisioner(service: Symbols) -> dict[str, Any]:
    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        config = props["PublicKeyConfig"]
        if not all(config.get(name) for name in _KEY_FIELDS):
            raise ValueError(f"InvalidArgument: {_KEY} needs {', '.join(_KEY_FIELDS)}.")
        _check_key(config["EncodedKey"])
        _check_name(service["_public_keys"], "PublicKeyAlreadyExists", config["Name"])
        key_id = service["_pk_id"]()
        service["_public_keys"][key_id] = {
            "Id": key_id,
            "ETag": str(uuid.uuid4()),
            "CreatedTime": _now(),
            "Config": {"Comment": "", **config},
        }
        return key_id, {"Id": key_id}

    def update(key_id: str, old: dict[str, Any], props: dict[str, Any], _stack: str) -> Any:
        before, config = old["PublicKeyConfig"], props["PublicKeyConfig"]
        if any(before[name] != config[name] for name in _KEY_FIELDS):
            raise ValueError(
                "CannotChangeImmutablePublicKeyFields: only the comment of a public key can be "
                "changed. Add a key with another logical ID instead."
            )
        service["_public_keys"][key_id]["Config"] = {"Comment": "", **config}
        return key_id, {"Id": key_id}

    def delete(key_id: str, _props: dict[str, Any]) -> None:
        if service["_public_keys_using"](key_id):
            raise ValueError("PublicKeyInUse: a key group contains the public key.")
        service["_public_keys"].pop(key_id, None)

    return {"create": create, "update": update, "delete": delete}


def _group_provisioner(service: Symbols) -> dict[str, Any]:
    def check(config: dict[str, Any]) -> None:
        items = config.get("Items") or []
        if not 1 <= len(items) <= _MAX_KEYS:
            raise ValueError(f"InvalidArgument: a key group has 1 to {_MAX_KEYS} public keys.")
        for key_id in items:
            if key_id not in service["_public_keys"]:
                raise ValueError(f"InvalidArgument: the public key {key_id} does not exist.")

    def store(group_id: str, config: dict[str, Any]) -> Any:
        service["_key_groups"][group_id] = {
            "Id": group_id,
            "ETag": str(uuid.uuid4()),
            "LastModifiedTime": _now(),
            "Config": {"Comment": "", **config},
        }
        return group_id, {"Id": group_id}

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        config = props["KeyGroupConfig"]
        check(config)
        _check_name(service["_key_groups"], "KeyGroupAlreadyExists", config["Name"])
        return store(service["_kg_id"](), config)

    def update(group_id: str, _old: Any, props: dict[str, Any], _stack: str) -> Any:
        check(props["KeyGroupConfig"])
        return store(group_id, props["KeyGroupConfig"])

    def delete(group_id: str, _props: dict[str, Any]) -> None:
        if service["_key_groups_using"](group_id):
            raise ValueError("ResourceInUse: a distribution trusts the key group.")
        service["_key_groups"].pop(group_id, None)

    return {"create": create, "update": update, "delete": delete}


def _check_key(encoded: str) -> None:
    """Check that a text is the PEM of a public key that CloudFront accepts.

    Raises:
        ValueError: The text isn't a key with RSA 2048 or ECDSA P-256.
    """
    match = _PEM.fullmatch(encoded.strip())
    try:
        der = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except binascii.Error:
        der = b""
    if not der.startswith(_DER_STARTS):
        raise ValueError(
            "InvalidArgument: EncodedKey must be a public key in PEM format, RSA 2048 or ECDSA "
            "P-256."
        )


def _check_name(existing: Any, code: str, name: str) -> None:
    """Check that no other resource has a name.

    Raises:
        ValueError: One has it.
    """
    if any(it["Config"]["Name"] == name for it in existing.values()):
        raise ValueError(f"{code}: {name} exists already.")
