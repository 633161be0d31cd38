"""Replicate an object by each rule, and refuse rules that Amazon S3 refuses.

Gap: only the first rule of a key applies. A rule can name a bucket that doesn't exist or has no
versioning. An update without a ReplicationConfiguration leaves the old one.
Seen in: ministack 1.5.33, s3.py, _maybe_replicate, _maybe_replicate_delete_marker and
_put_bucket_replication.
Delete when: S3 replicates to several buckets, and refuses the rules of tests/refusals/test_s3.py.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_DESTINATION: Final = re.compile(rb"<Destination>.*?<Bucket>([^<]*)</Bucket>", re.DOTALL)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Apply the rules one after the other, and check a configuration before it is stored."""
    service = Symbols(
        "ministack.services.s3",
        *("_bucket_replication", "_bucket_versioning", "_delete_bucket_replication", "_error"),
        *("_maybe_replicate", "_maybe_replicate_delete_marker", "_put_bucket_replication"),
    )

    def each_rule(original: Callable[..., Any]) -> Callable[..., Any]:
        def replicate(bucket: str, *arguments: Any) -> None:
            # Amazon S3 User Guide, "Replication configuration file elements": rules with different
            # destinations all apply.
            configurations = service["_bucket_replication"]
            configuration = configurations.get(bucket)
            if not configuration:
                return
            try:
                for rule in configuration["Rules"]:
                    configurations[bucket] = {**configuration, "Rules": [rule]}
                    original(bucket, *arguments)
            finally:
                configurations[bucket] = configuration

        return replicate

    def putting(original: Callable[..., Any]) -> Callable[..., Any]:
        def put(bucket: str, body: bytes) -> Any:
            missing = [
                it
                for it in _destinations(body)
                if service["_bucket_versioning"].get(it) != "Enabled"
            ]
            if missing:
                message = "Destination bucket must exist and have versioning enabled."
                return service["_error"]("InvalidRequest", message, 400, f"/{bucket}")
            return original(bucket, body)

        return put

    def forget(bucket: str, properties: dict[str, Any], _attributes: dict[str, Any]) -> None:
        if not properties.get("ReplicationConfiguration"):
            checked(service["_delete_bucket_replication"](bucket))

    service.wrap("_maybe_replicate", each_rule)
    service.wrap("_maybe_replicate_delete_marker", each_rule)
    service.wrap("_put_bucket_replication", putting)
    extend("AWS::S3::Bucket", forget)


def _destinations(body: bytes) -> list[str]:
    """Return the names of the destination buckets of a configuration."""
    return [it.decode().rpartition(":")[2] for it in _DESTINATION.findall(body)]
