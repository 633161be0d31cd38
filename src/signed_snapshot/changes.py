"""The publisher of a signed snapshot, and the check of the staff who may change one."""

import functools
import os
from typing import Final

import boto3

from signed_snapshot.errors import NotStaffError
from signed_snapshot.publisher import Publisher
from staff.groups import STAFF_GROUP, is_staff

#: A published change reaches every execution environment after this time (signed_snapshot.reader).
EFFECTIVE_WITHIN_S: Final = 60


@functools.cache
def publisher_of(name: str) -> Publisher:
    """Return the publisher of a snapshot, which CloudFront serves as /snapshots/<name>.

    Its settings are the environment variables BUCKET and KEY_ID.
    """
    return Publisher(
        boto3.client("s3"),
        boto3.client("kms"),
        bucket=os.environ["BUCKET"],
        key=f"public/snapshots/{name}",
        name=name,
        key_id=os.environ["KEY_ID"],
    )


def check_staff(groups: str, action: str) -> None:
    """Check the caller's groups, as API Gateway joins them.

    Raises:
        NotStaffError: The caller isn't in the group staff. The message names the `action`.
    """
    if not is_staff(groups):
        raise NotStaffError(f"Only members of the group {STAFF_GROUP} can {action}.")
