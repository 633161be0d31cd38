"""The copies of the portal's bucket: one in each further Region, to which Amazon S3 replicates.

S3 replicates what is written after a rule exists. For a new copy, `make deploy` therefore writes
the objects that the copy lacks again, on the condition that nobody has changed them meanwhile. Then
it waits until each copy has the objects of the home.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.deployment.collector import Clients
from tools.deployment.environments import Environment

#: The output of a further Region's stack with its copy.
COPY: Final = "PortalCopyBucket"
#: The parameter of the home and of the edge with the Regions of the copies.
COPIES: Final = "PortalCopies"
#: "Amazon S3 replicates most objects in seconds", and nearly all within 15 minutes (S3 User Guide,
#: "Meeting compliance requirements with S3 Replication Time Control").
REPLICATED_WITHIN_S: Final = 900.0
_POLL_S: Final = 5.0
#: Another writer was quicker, whose object S3 replicates.
_CHANGED: Final = frozenset(
    {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404"}
)
#: Headers of an object that a new version keeps.
_KEPT: Final = ("CacheControl", "ContentEncoding", "ContentType", "Metadata")


def copy_of(bucket: str, region: str) -> str:
    """Return the name of a bucket's copy in a further Region (stacks/portal-copy.yaml)."""
    return f"{bucket}-{region}"


def replicate(
    home: Environment,
    bucket: str,
    regions: Sequence[str],
    clients: Clients,
    within_s: float = REPLICATED_WITHIN_S,
    poll_s: float = _POLL_S,
) -> int:
    """Return the number of objects, when the copies in `regions` have those of the home's bucket.

    Objects that a copy lacks are written again once: the rule of a new copy came after them.

    Args:
        home: The home's environment.
        bucket: The home's bucket.
        regions: Regions with a copy.
        clients: Makes a client for a service and a Region.
        within_s: How long to wait at most, in seconds.
        poll_s: Pause between two looks, in seconds.

    Raises:
        ClientError: S3 refused a call.
        CommandError: A copy still lacks objects after `within_s` seconds.
    """
    source = clients("s3", home.region)
    copies = {region: clients("s3", region) for region in regions}
    deadline = time.monotonic() + within_s
    is_first = True
    while True:
        missing = {
            region: _missing(source, bucket, copies[region], copy_of(bucket, region))
            for region in regions
        }
        if not any(missing.values()):
            return len(_etags(source, bucket))
        if is_first:
            for key in sorted(set().union(*missing.values())):
                _write_again(source, bucket, key)
            is_first = False
            continue
        if time.monotonic() > deadline:
            late = ", ".join(region for region, keys in missing.items() if keys)
            raise CommandError(
                f"The copy of s3://{bucket} in {late} still lacks objects of the home after "
                f"{within_s:.0f} s. Look for a failed replication (docs/runbook.md), then run "
                f"`make deploy PLACE={home.name}` again."
            )
        time.sleep(poll_s)


def _missing(source: Any, bucket: str, copy: Any, copy_bucket: str) -> set[str]:
    """Return the keys of objects that the copy lacks, or has with another content.

    The home is listed after the copy, so that an object that is replicated meanwhile counts as
    missing, not as present.
    """
    present = _etags(copy, copy_bucket)
    return {key for key, etag in _etags(source, bucket).items() if present.get(key) != etag}


def _etags(s3: Any, bucket: str) -> dict[str, str]:
    """Return key -> ETag of each object. A replica has the ETag of its source."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {it["Key"]: it["ETag"] for page in pages for it in page.get("Contents", [])}


def _write_again(s3: Any, bucket: str, key: str) -> None:
    """Write a new version of an object, unless it has changed or is gone.

    Raises:
        ClientError: S3 refused a call.
    """
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        headers = {name: answer[name] for name in _KEPT if answer.get(name)}
        body = answer["Body"].read()
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfMatch=answer["ETag"], **headers)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _CHANGED:
            raise
