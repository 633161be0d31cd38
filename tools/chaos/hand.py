"""What somebody deletes by hand: rows of the checkpoints table, and objects of the lake."""

import random
from collections import Counter, defaultdict
from typing import Any

from tools import sam
from tools.dev.system import System

PREFIXES = ("events/", "changes/")
#: The share of the objects of a shard that is deleted at once.
_SHARE = 0.25


class Hand:
    """Deletes. `happened` counts what, by its name."""

    def __init__(self, running: System, draws: random.Random) -> None:
        self.happened: Counter[str] = Counter()
        self._draws = draws
        self._dynamodb = sam.client("dynamodb", running.place)
        self._s3 = sam.client("s3", running.place)
        self._bucket = running.deployed.outputs["LakeBucket"]
        self._table = running.deployed.outputs["CheckpointsTable"]

    def rows(self) -> None:
        """Delete every high-water row."""
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._table, ConsistentRead=True
        )
        for chain in [row["chain"] for page in pages for row in page["Items"]]:
            self._dynamodb.delete_item(TableName=self._table, Key={"chain": chain})
            self.happened["row deleted"] += 1

    def objects(self) -> None:
        """Delete some objects of each shard, every other one with all of its versions."""
        for keys in self._shards().values():
            count = max(1, round(len(keys) * _SHARE))
            for number, key in enumerate(self._draws.sample(keys, count)):
                self._delete(key, versions=bool(number % 2))

    def newest(self) -> None:
        """Delete the newest object of each shard, all of its versions, and all rows."""
        self.rows()
        for keys in self._shards().values():
            self._delete(max(keys, key=_sequence), versions=True)

    def _shards(self) -> dict[str, list[str]]:
        """The objects of the chains."""
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

    def _delete(self, key: str, *, versions: bool) -> None:
        if not versions:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
            self.happened["object deleted"] += 1
            return
        listed = self._s3.list_object_versions(Bucket=self._bucket, Prefix=key)
        for one in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
            self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=one["VersionId"])
        self.happened["object deleted with every version of it"] += 1


def _sequence(key: str) -> str:
    return key.rpartition("-")[2]


def kept(client: Any, bucket: str) -> list[str]:
    """What lies in the failure bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="aws/lambda/")
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
