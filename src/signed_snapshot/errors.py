"""The errors of a snapshot's publisher."""

from custom_resource.response import CustomResourceError


class SnapshotStoreError(CustomResourceError):
    """Raised when S3 or KMS refuses a call, or the object isn't a snapshot."""

    code = "snapshot_store"


class SnapshotConflictError(CustomResourceError):
    """Raised when other changes replaced the snapshot during each attempt."""

    code = "snapshot_conflict"
