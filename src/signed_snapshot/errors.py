"""The errors of a snapshot's publisher, and of a caller who may not change it."""

from custom_resource.response import CustomResourceError


class SnapshotStoreError(CustomResourceError):
    """Raised when S3 or KMS refuses a call, or the object isn't a snapshot."""

    code = "snapshot_store"


class SnapshotConflictError(CustomResourceError):
    """Raised when other changes replaced the snapshot during each attempt."""

    code = "snapshot_conflict"


class NotStaffError(CustomResourceError):
    """Raised when the caller of the API isn't in the group of the staff."""

    code = "not_staff"
    status = 403
