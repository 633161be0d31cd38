"""Simulate manual deletions: items of the checkpoints table, and objects of the data lake."""

import random
from collections import Counter, defaultdict
from typing import Final

from tools.dev.system import System
from tools.stack import client

PREFIXES: Final = ("events/", "changes/")
#: The share of each shard's objects that `delete_some_objects` deletes.
_DELETED_SHARE: Final = 0.25


class ManualDeletion:
    """Delete data of a running system. `counts` counts the deletions by kind."""

    def __init__(self, running: System, rng: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._rng = rng
        self._dynamodb = client("dynamodb", running.target)
        self._s3 = client("s3", running.target)
        self._bucket = running.deployed.outputs["LakeBucket"]
        self._table = running.deployed.outputs["CheckpointsTable"]

    def delete_checkpoints(self) -> None:
        """Delete every item of the checkpoints table."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table, ConsistentRead=True
        )
        for key in [{"chain": item["chain"]} for page in pages for item in page["Items"]]:
            self._dynamodb.delete_item(TableName=self._table, Key=key)
            self.counts["checkpoint deleted"] += 1

    def delete_some_objects(self) -> None:
        """Delete some objects of each shard, every second one with all of its versions."""
        for keys in self._keys_by_shard().values():
            count = max(1, round(len(keys) * _DELETED_SHARE))
            for number, key in enumerate(self._rng.sample(keys, count)):
                self._delete(key, all_versions=bool(number % 2))

    def delete_newest_objects(self) -> None:
        """Delete each shard's newest object with all of its versions, and all checkpoints."""
        self.delete_checkpoints()
        for keys in self._keys_by_shard().values():
            # Keys sort by date, hour and number.
            self._delete(max(keys), all_versions=True)

    def _keys_by_shard(self) -> dict[str, list[str]]:
        shards: dict[str, list[str]] = defaultdict(list)
        for prefix in PREFIXES:
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for key in (item["Key"] for page in pages for item in page.get("Contents", [])):
                shard = key.rpartition("/")[2].rpartition("-")[0]
                if shard.startswith("shardId-"):
                    shards[prefix + shard].append(key)
        return shards

    def _delete(self, key: str, *, all_versions: bool) -> None:
        if not all_versions:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
            self.counts["object deleted"] += 1
            return
        page = self._s3.list_object_versions(Bucket=self._bucket, Prefix=key)
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=version["VersionId"])
        self.counts["object deleted with all versions"] += 1
