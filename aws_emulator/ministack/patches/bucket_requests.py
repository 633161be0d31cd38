"""Refuse requests to S3 buckets that Amazon S3 refuses.

Gap: a request deletes any number of objects; a bucket policy can name another bucket; an object can
be copied onto itself without a change.
Seen in: ministack 1.5.33, s3.py, _delete_objects, _put_bucket_policy and _copy_object.
Delete when: each operation refuses the requests of tests/refusals/test_s3.py.
"""

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: API reference, DeleteObjects: "a list of up to 1,000 keys".
MAX_DELETED_KEYS: Final = 1_000
#: Headers of a copy that change something (API reference, CopyObject).
_CHANGES: Final = (
    *("x-amz-metadata-directive", "x-amz-storage-class", "x-amz-server-side-encryption"),
    *("x-amz-website-redirect-location", "x-amz-tagging-directive"),
)
_PREFIX: Final = "arn:aws:s3:::"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the arguments of the three operations."""
    service = Symbols(
        "ministack.services.s3", "_copy_object", "_delete_objects", "_error", "_put_bucket_policy"
    )

    def deleting(original: Callable[..., Any]) -> Callable[..., Any]:
        def delete(bucket: str, body: bytes, *rest: Any, **named: Any) -> Any:
            if body.count(b"<Object>") > MAX_DELETED_KEYS:
                message = "The XML you provided was not well-formed or did not validate"
                return service["_error"]("MalformedXML", message, 400)
            return original(bucket, body, *rest, **named)

        return delete

    def putting(original: Callable[..., Any]) -> Callable[..., Any]:
        def put(bucket: str, body: bytes) -> Any:
            if any(not _is_of(bucket, arn) for arn in _resources(body)):
                return service["_error"]("MalformedPolicy", "Policy has invalid resource", 400)
            return original(bucket, body)

        return put

    def copying(original: Callable[..., Any]) -> Callable[..., Any]:
        def copy(bucket: str, key: str, headers: dict[str, str]) -> Any:
            source = unquote(headers.get("x-amz-copy-source", "").partition("?")[0]).lstrip("/")
            is_unchanged = headers.get(_CHANGES[0], "COPY") == "COPY" and not any(
                name in headers for name in _CHANGES[1:]
            )
            if (
                source == f"{bucket}/{key}"
                and is_unchanged
                and "?" not in headers.get("x-amz-copy-source", "")
            ):
                message = (
                    "This copy request is illegal because it is trying to copy an object to itself "
                    "without changing the object's metadata, storage class, website redirect "
                    "location or encryption attributes."
                )
                return service["_error"]("InvalidRequest", message, 400)
            return original(bucket, key, headers)

        return copy

    service.wrap("_delete_objects", deleting)
    service.wrap("_put_bucket_policy", putting)
    service.wrap("_copy_object", copying)


def _resources(body: bytes) -> list[str]:
    """Return the resources of a bucket policy; none of text that isn't a policy."""
    try:
        policy = json.loads(body)
        statements = policy["Statement"]
    except (ValueError, KeyError, TypeError):
        return []
    listed = statements if isinstance(statements, list) else [statements]
    resources: list[str] = []
    for statement in listed:
        value = statement.get("Resource", [])
        resources += [value] if isinstance(value, str) else value
    return resources


def _is_of(bucket: str, arn: str) -> bool:
    """Return whether an ARN is that of a bucket or of its objects; others are not of S3."""
    name = arn.removeprefix(_PREFIX).partition("/")[0]
    return not arn.startswith(_PREFIX) or name in (bucket, "*") or "*" in name
