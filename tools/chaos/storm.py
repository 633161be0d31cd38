"""The faults of the network and of machines: calls that fail, processes that are killed."""

import contextlib
import json
import random
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from typing import Any

import psutil

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.poller import CHECKPOINT_FILE
from tools import sam
from tools.chaos.hand import Hand, kept
from tools.chaos.plan import Plan
from tools.dev.system import System

#: (service, operation or any, kind, share, seconds, times)
type Rule = tuple[str, str | None, str, float, float, int | None]

#: Gusts of failing calls, one after the other in a drawn order. Late ones are done when the
#: functions' clients have given up on them (S3 after 15 s, DynamoDB after 5 s).
_GUSTS: tuple[tuple[Rule, ...], ...] = (
    (("s3", "PUT", "refused", 0.7, 0, None),),
    (("s3", "PUT", "lost", 0.7, 0, None),),
    (("s3", "PUT", "cut", 0.7, 0, None),),
    (("dynamodb", "PutItem", "refused", 0.7, 0, None), ("s3", "GET", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "lost", 0.7, 0, None), ("s3", "HEAD", "refused", 0.5, 0, None)),
    (("dynamodb", "PutItem", "late", 1.0, 5.5, 3), ("dynamodb", None, "cut", 0.4, 0, None)),
    (
        ("kinesis", None, "lost", 0.3, 0, None),
        ("kinesis", None, "refused", 0.2, 0, None),
        ("kinesis", None, "throttled", 0.2, 0, None),
    ),
)
#: Always the first: what is that late must have come before the operator repairs.
_LATE: tuple[Rule, ...] = (
    ("s3", "PUT", "late", 1.0, 15.5, 1),
    ("s3", "PUT", "lost", 0.5, 0, None),
)
_SAID = {
    "refused": "refused",
    "throttled": "throttled",
    "lost": "done, and answered as if not",
    "cut": "done, and cut off",
    "late": "done after its client had gone",
}
_DOORS = ("events", "changes")
#: Seconds until both doors must have given a batch up.
_GIVEN_UP_S = 45.0


class Storm:
    """The faults of one run, on a running system. `happened` counts them by their names."""

    def __init__(self, plan: Plan, running: System) -> None:
        self.happened: Counter[str] = Counter()
        self._plan = plan
        self._running = running
        self._draws = random.Random(plan.seed)  # noqa: S311 - no secret: it must be repeatable
        self.hand = Hand(running, self._draws)

    def blow(self) -> None:
        """Let the faults happen, in a drawn order, within the plan's time."""
        began, seconds = time.monotonic(), self._plan.seconds
        gusts = [_LATE, *self._draws.sample(_GUSTS, len(_GUSTS))]
        acts: list[tuple[float, Callable[[], None]]] = [
            *(
                (number / len(gusts), partial(self._turn, gust))
                for number, gust in enumerate(gusts)
            ),
            *((self._draws.random(), self._kill_workers) for _ in range(4)),
            (self._draws.uniform(0.2, 0.8), self._restart_poller),
            (self._draws.uniform(0.3, 0.7), self.hand.rows),
            (self._draws.uniform(0.4, 0.8), self._begin_again),
            (self._draws.uniform(0.3, 0.6), self.hand.objects),
        ]
        for moment, act in sorted(acts, key=itemgetter(0)):
            time.sleep(max(0.0, began + moment * seconds - time.monotonic()))
            act()
        time.sleep(max(0.0, began + seconds - time.monotonic()))

    def end(self) -> None:
        """No further call fails."""
        for rule in self._switch("DELETE", {}):
            if rule["acted"]:
                call = f"{_service(rule['service'])} {rule['operation'] or 'call'}"
                self.happened[f"{call} {_SAID[rule['kind']]}"] += rule["acted"]

    @contextmanager
    def giving_up(self) -> Iterator[None]:
        """No function stores anything, and both mappings give a batch up that failed once.

        Ends once each has put one into the failure bucket. Raises CommandError where they do not.
        """
        lambdas = sam.client("lambda", self._running.place)
        mappings = [
            mapping
            for door in _DOORS
            for mapping in lambdas.list_event_source_mappings(
                FunctionName=f"meridian-{self._running.place.stage}-{door}"
            )["EventSourceMappings"]
        ]
        before = self._given_up()
        self._turn([("s3", "PUT", "refused", 1.0, 0, None)])
        for mapping in mappings:
            lambdas.update_event_source_mapping(
                UUID=mapping["UUID"], MaximumRetryAttempts=0, BisectBatchOnFunctionError=False
            )
        try:
            yield
            deadline = time.monotonic() + _GIVEN_UP_S
            while len({key.split("/")[2] for key in self._given_up() - before}) < len(mappings):
                if time.monotonic() > deadline:
                    raise CommandError(f"No batch was given up within {_GIVEN_UP_S:.0f} s.")
                time.sleep(0.3)
        finally:
            self.end()
            for mapping in mappings:
                lambdas.update_event_source_mapping(
                    UUID=mapping["UUID"],
                    MaximumRetryAttempts=mapping["MaximumRetryAttempts"],
                    BisectBatchOnFunctionError=mapping["BisectBatchOnFunctionError"],
                )
        self.happened["batch given up by Lambda, kept in S3"] += len(self._given_up() - before)

    def _given_up(self) -> set[str]:
        s3 = sam.client("s3", self._running.place)
        return set(kept(s3, self._running.deployed.outputs["FailuresBucket"]))

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
        names = {f"meridian-{self._running.place.stage}-{door}" for door in _DOORS}
        (emulator,) = (it for it in self._running.services.started if it.name == "ministack")
        for child in psutil.Process(emulator.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if child.environ().get("AWS_LAMBDA_FUNCTION_NAME") in names:
                    child.kill()
                    self.happened["function killed at work"] += 1

    def _restart_poller(self) -> None:
        """Kill the event source mappings; they go on from their checkpoints."""
        self._running.services.kill("event-sources")
        time.sleep(self._draws.uniform(0.5, 2.0))
        self._running.start_poller()
        self.happened["stream stopped, and begun where it was"] += 1

    def _begin_again(self) -> None:
        """The same, but the mappings have forgotten everything: TRIM_HORIZON."""
        self._running.services.kill("event-sources")
        (self._running.poller_status.parent / CHECKPOINT_FILE).unlink(missing_ok=True)
        self._running.start_poller()
        self.happened["stream stopped, and begun at its oldest record"] += 1


def _service(name: str) -> str:
    return {"s3": "S3", "dynamodb": "DynamoDB", "kinesis": "Kinesis"}[name]
