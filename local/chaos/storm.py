"""The faults: calls that fail, workers and a poller that are killed, rows and objects deleted."""

import contextlib
import json
import math
import random
import time
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import psutil

from local import sam
from local.chaos.plan import Plan
from local.poller.service import CHECKPOINT_FILE
from local.system import System

#: (service, operation or any, kind, share, seconds, times)
type Rule = tuple[str, str | None, str, float, float, int | None]

#: Gusts of failing calls, one after the other in a drawn order. Late ones are done when the
#: functions' clients have given up on them (S3 after 15 s, DynamoDB after 5 s).
_GUSTS: tuple[tuple[Rule, ...], ...] = (
    (("s3", "PUT", "refused", 0.7, 0, None),),
    (("s3", "PUT", "lost", 0.7, 0, None),),
    (("s3", "PUT", "cut", 0.7, 0, None),),
    (("s3", "PUT", "late", 1.0, 15.5, 1), ("s3", "PUT", "lost", 0.5, 0, None)),
    (("dynamodb", "PutItem", "refused", 0.7, 0, None), ("s3", "GET", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "lost", 0.7, 0, None), ("s3", "HEAD", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "late", 1.0, 5.5, 3), ("dynamodb", None, "cut", 0.4, 0, None)),
    (("kinesis", None, "lost", 0.3, 0, None), ("kinesis", None, "refused", 0.2, 0, None)),
)
#: The share of the objects of changes that is deleted.
_DELETED = 0.3


class Storm:
    """The faults of one run, on a running system. `happened` counts them by their names."""

    def __init__(self, plan: Plan, running: System) -> None:
        self.happened: Counter[str] = Counter()
        self._plan = plan
        self._running = running
        self._draws = random.Random(plan.seed)  # noqa: S311 - no secret: it must be repeatable
        self._dynamodb = sam.client("dynamodb", running.place)
        self._s3 = sam.client("s3", running.place)
        self._outputs = running.deployed.outputs

    def blow(self) -> None:
        """Let the faults happen, in a drawn order, within the plan's time."""
        began, seconds = time.monotonic(), self._plan.seconds
        gusts = self._draws.sample(_GUSTS, len(_GUSTS))
        acts: list[tuple[float, Callable[[], None]]] = [
            *(
                (number / len(gusts), partial(self._turn, gust))
                for number, gust in enumerate(gusts)
            ),
            *((self._draws.random(), self._kill_workers) for _ in range(4)),
            (self._draws.uniform(0.2, 0.8), self._restart_poller),
            (self._draws.uniform(0.5, 0.8), self._delete_rows),
            (self._draws.uniform(0.5, 0.8), self._begin_again),
            (self._draws.uniform(0.4, 0.6), self.delete_objects),
        ]
        for moment, act in sorted(acts, key=itemgetter(0)):
            time.sleep(max(0.0, began + moment * seconds - time.monotonic()))
            act()
        time.sleep(max(0.0, began + seconds - time.monotonic()))

    def end(self) -> None:
        """No further call fails."""
        for rule in self._switch("DELETE", {}):
            if rule["acted"]:
                did = f"{rule['service']} {rule['operation'] or 'call'}: {rule['kind']}"
                self.happened[did] += rule["acted"]

    def _turn(self, gust: Sequence[Rule]) -> None:
        """End one gust, begin the next."""
        self.end()
        for service, operation, kind, share, seconds, times in gust:
            said = {"service": service, "kind": kind, "share": share, "seconds": seconds}
            said |= {"operation": operation} if operation else {}
            said |= {"times": times} if times else {}
            self._switch("POST", said | {"seed": self._draws.randrange(2**31)})

    def _switch(self, method: str, said: dict[str, Any]) -> Any:
        url = f"{self._running.place.endpoint}/_local/faults?{urllib.parse.urlencode(said)}"
        request = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def _kill_workers(self) -> None:
        """Kill the processes that run the two functions, whatever they are at."""
        names = {f"meridian-{self._running.place.stage}-{door}" for door in ("events", "changes")}
        (emulator,) = (it for it in self._running.services.started if it.name == "emulator")
        for child in psutil.Process(emulator.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.environ().get("AWS_LAMBDA_FUNCTION_NAME") in names:
                    child.kill()
                    self.happened["function worker killed"] += 1

    def _restart_poller(self) -> None:
        """Kill the event source mappings; they go on from their checkpoints."""
        self._running.services.kill("poller")
        time.sleep(self._draws.uniform(0.5, 2.0))
        self._running.start_poller()
        self.happened["poller killed and started again"] += 1

    def _begin_again(self) -> None:
        """The same, but the mappings have forgotten everything: TRIM_HORIZON."""
        self._running.services.kill("poller")
        (self._running.poller_status.parent / CHECKPOINT_FILE).unlink(missing_ok=True)
        self._running.start_poller()
        self.happened["mappings begin again at TRIM_HORIZON"] += 1

    def _delete_rows(self) -> None:
        table = self._outputs["CheckpointsTable"]
        for row in self._rows():
            self._dynamodb.delete_item(TableName=table, Key={"chain": row["chain"]})
            self.happened["high-water row deleted"] += 1

    def delete_objects(self) -> None:
        """Delete objects of changes; the newest of a shard only where the shard's row is there.

        With both gone nobody could tell that they ever were.
        """
        marked = {row["chain"]["S"].rpartition("#")[2] for row in self._rows()}
        bucket = self._outputs["LakeBucket"]
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="changes/")
        shards: dict[str, list[str]] = defaultdict(list)
        for key in (item["Key"] for page in pages for item in page.get("Contents", [])):
            shards[key.rpartition("/")[2].rpartition("-")[0]].append(key)
        for shard, keys in shards.items():
            known = sorted(keys) if shard in marked else sorted(keys)[:-1]
            for key in self._draws.sample(known, math.ceil(len(known) * _DELETED)):
                self._s3.delete_object(Bucket=bucket, Key=key)
                self.happened["object of changes deleted"] += 1

    def _rows(self) -> list[Any]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._outputs["CheckpointsTable"], ConsistentRead=True
        )
        return [row for page in pages for row in page["Items"]]
