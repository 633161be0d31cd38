"""Apply the encryption, lifecycle, ownership and replication of a bucket.

Gap: BucketEncryption, LifecycleConfiguration, OwnershipControls and ReplicationConfiguration of a
bucket in a template are dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _S3_BUCKET_CONFIGURATIONS.
Delete when: that table contains the four properties.
"""

from typing import Any, Final
from xml.sax.saxutils import escape

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
#: CloudFormation's name -> the API's name, where they differ.
_RENAMED: Final = {
    "Id": "ID",
    "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
}

PROPERTIES: Final = {
    "AWS::S3::Bucket": {
        "BucketEncryption",
        "LifecycleConfiguration",
        "OwnershipControls",
        "ReplicationConfiguration",
    }
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Apply the four properties with the S3 operations of MiniStack."""
    service = Symbols(
        "ministack.services.s3",
        "_put_bucket_encryption",
        "_put_bucket_lifecycle",
        "_put_bucket_ownership_controls",
        "_put_bucket_replication",
    )

    def apply(bucket: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        if encryption := props.get("BucketEncryption"):
            rules = encryption["ServerSideEncryptionConfiguration"]
            body = _document("ServerSideEncryptionConfiguration", {"Rule": rules})
            checked(service["_put_bucket_encryption"](bucket, body))
        if lifecycle := props.get("LifecycleConfiguration"):
            rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
            body = _document("LifecycleConfiguration", {"Rule": rules})
            checked(service["_put_bucket_lifecycle"](bucket, body))
        if ownership := props.get("OwnershipControls"):
            body = _document("OwnershipControls", {"Rule": ownership["Rules"]})
            checked(service["_put_bucket_ownership_controls"](bucket, body))
        if replication := props.get("ReplicationConfiguration"):
            content = {"Role": replication["Role"], "Rule": replication["Rules"]}
            body = _document("ReplicationConfiguration", content)
            checked(service["_put_bucket_replication"](bucket, body))

    extend("AWS::S3::Bucket", apply)


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Convert a lifecycle rule of a template to one of PutBucketLifecycleConfiguration.

    Raises:
        ValueError: The rule has a property that the conversion doesn't cover.
    """
    supported = {
        "Id",
        "Status",
        "Prefix",
        "AbortIncompleteMultipartUpload",
        "ExpirationInDays",
        "ExpiredObjectDeleteMarker",
        "NoncurrentVersionExpiration",
        "Transitions",
    }
    if unknown := rule.keys() - supported:
        raise ValueError(f"unsupported in a lifecycle rule: {', '.join(sorted(unknown))}")
    expiration = {
        api: rule[word]
        for word, api in (
            ("ExpirationInDays", "Days"),
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
        )
        if word in rule
    }
    transitions = [
        {"Days": move["TransitionInDays"], "StorageClass": move["StorageClass"]}
        for move in rule.get("Transitions", [])
    ]
    return {
        "Id": rule.get("Id", ""),
        "Filter": {"Prefix": rule.get("Prefix", "")},
        "Status": rule["Status"],
        **({"Expiration": expiration} if expiration else {}),
        **({"Transition": transitions} if transitions else {}),
        **{
            word: rule[word]
            for word in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
            if word in rule
        },
    }


def _document(name: str, content: dict[str, Any]) -> bytes:
    return f'<{name} xmlns="{_NAMESPACE}">{_elements(content)}</{name}>'.encode()


def _elements(content: dict[str, Any]) -> str:
    return "".join(
        f"<{_RENAMED.get(name, name)}>{_value(value)}</{_RENAMED.get(name, name)}>"
        for name, values in content.items()
        for value in (values if isinstance(values, list) else [values])
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _elements(value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))
