"""Tell whether the nightly reconciliation is overdue. EventsFunction asks once an hour.

A missing run can't report itself. An alarm on the absence of its metric would fire after the first
deployment, when no run was due yet.
"""

from datetime import datetime, timedelta
from typing import Final

from stream_processor.repair.item_states import PREFIX
from stream_processor.storage import lake_keys
from stream_processor.storage.s3 import Bucket

#: The run starts at 03:00 UTC and ends within 15 minutes; its retries end an hour later
#: (stacks/stream-schedules.yaml).
DUE_HOUR: Final = timedelta(hours=5)


def is_overdue(bucket: Bucket, at: datetime) -> bool:
    """Return whether the last run that was due at the time `at` (UTC) saved no state.

    No run was due before the first one after the deployment: the lake then has no older object.

    Raises:
        StorageError: S3 failed.
    """
    due = (at - DUE_HOUR).date()
    for day in {due, at.date()}:
        if next(bucket.keys(f"{PREFIX}/date={day}/"), None) is not None:
            return False
    return any(
        next(bucket.folders(f"{prefix}/"), folder) < folder
        for prefix in (lake_keys.EVENTS, lake_keys.CHANGES)
        for folder in (f"{prefix}/date={due}/",)
    )
