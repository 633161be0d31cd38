"""Run a game day on a running system: visitors all day, one act after the other, the checks."""

import random
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tools.dev.system import System
from tools.gameday import catalogue, report
from tools.gameday.acts import CLOCK_SPEED, CONTINENTS, OPERATIONS, Act
from tools.gameday.alarms import Datum, Deployed, Rang, evaluate, has_rung
from tools.gameday.answers import Ledger
from tools.gameday.checks import (
    Limits,
    Stored,
    check_alarms,
    check_answers,
    check_recovery,
    check_stores,
)
from tools.gameday.faults import losses, waiting_writes
from tools.gameday.figures import Behind, Scene, behind
from tools.gameday.homes import hasten_sign_ups, move, settle
from tools.gameday.links import LinkOpener
from tools.gameday.loss import at_the_move, present_in
from tools.gameday.metrics import Sampler, deployed_alarms, edge_data
from tools.gameday.phases import Phases
from tools.gameday.publisher import Publisher
from tools.gameday.stores import Stores
from tools.gameday.visitors import Visitors
from tools.progress import step

#: Until every operation works before the first act, and again after each return.
OPEN_TIMEOUT_S: Final = 90.0
#: Until the alarms of a loss ring, in addition to its seconds; then it ends without them.
ALARMS_TIMEOUT_S: Final = 30.0
#: At least so long do bookings have their new home, if the plan doesn't say it.
MOVED_S: Final = 10.0
_POLL_S: Final = 0.2


@dataclass(frozen=True)
class Plan:
    """The acts of a day, and at least their seconds before and after the loss.

    `lost_s` replaces the acts' own seconds. Without `checks_alarms`, a loss doesn't last until its
    alarms ring. `catalogue_acts` follow the acts.
    """

    seed: int
    acts: Sequence[Act]
    before_s: float = 1.0
    after_s: float = 1.0
    lost_s: float | None = None
    checks_alarms: bool = True
    catalogue_acts: Sequence[str] = catalogue.ACTS
    limits: Limits = field(default_factory=Limits)


def run(running: System, plan: Plan, began: float | None = None) -> int:
    """Run a plan and print the report. Returns 1 if a check fails.

    Args:
        running: The system.
        plan: The acts.
        began: When the command began to start the system, on time.monotonic(); None for now.

    Raises:
        CommandError: The system didn't process the data in time.
    """
    print(f"  seed {plan.seed} (SEED={plan.seed} repeats the acts)")
    phases = Phases(time.monotonic() if began is None else began)
    phases.end("starting the system")
    ledger = Ledger()
    visitors = Visitors(running, plan.seed, ledger)
    scenes: list[Scene] = []
    closed: dict[str, list[str]] = {}
    stores = Stores(running, visitors.run)
    hasten_sign_ups(running, CLOCK_SPEED)
    deployed = deployed_alarms(running) if plan.checks_alarms else Deployed(())
    with LinkOpener(running, ledger), Publisher(running, visitors.run, ledger):
        with Sampler(running, ledger, CLOCK_SPEED) as sampler:
            day = _Day(running, plan, ledger, sampler, deployed)
            visitors.start()
            try:
                with step("waiting until every operation works"):
                    closed["before the first act"] = wait_until_open(ledger)
                phases.end("first requests")
                for act in plan.acts:
                    with step(act.name):
                        scene, closed[act.name] = day.play(act)
                        scenes.append(scene)
            finally:
                visitors.stop()
                phases.end("acts on the school")
        with ThreadPoolExecutor(1, "stores") as threads:
            # The catalogue has other stores.
            settled = threads.submit(_wait_for_stores, stores, ledger)
            catalogue_checks, courses = catalogue.play(
                running,
                random.Random(plan.seed),  # noqa: S311 - not a secret
                visitors.staff.token,
                ledger,
                plan.catalogue_acts,
            )
            phases.end("acts on the catalogue")
            with step("draining the streams, creating the last accounts"):
                settled.result()
    phases.end("draining the streams, creating the last accounts")
    with step("reading lakes, tables, users and emails"):
        folder = Path(mkdtemp(prefix="gameday-", dir=running.directory))
        try:
            stored = stores.read(ledger, folder)
            if any(it.new_home for it in plan.acts):
                stored = replace(stored, settled=settle(running))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    scenes = [_with_events(it, ledger, stored) for it in scenes]
    checks = [
        *check_stores(ledger, stored),
        *check_answers(scenes, ledger.answers, plan.limits),
        check_recovery(closed),
    ]
    phases.end("reading and comparing the stores")
    checks += catalogue_checks
    rang: list[Rang] = []
    if plan.checks_alarms:
        rang = _evaluate_alarms(running, scenes, sampler.data, ledger, deployed)
        checks += check_alarms(rang)
    phases.end("evaluating the alarms")
    path = running.directory / report.PAGE_FILE
    return report.show(plan.seed, scenes, ledger, checks, rang, path, courses, phases.table())


def _evaluate_alarms(
    running: System,
    scenes: Sequence[Scene],
    sampled: Sequence[Datum],
    ledger: Ledger,
    deployed: Deployed,
) -> list[Rang]:
    """Return the alarms of each act, by the data between its beginning and its end."""
    distribution = running.deployed.outputs["DistributionId"]
    data = [*sampled, *edge_data(ledger.answers, distribution, CLOCK_SPEED)]
    alarms = deployed.on(data)
    return [
        evaluate(
            scene.act,
            running.regions[1:],
            alarms,
            [it for it in data if scene.began <= it.moment_s / CLOCK_SPEED <= scene.ended],
        )
        for scene in scenes
    ]


def _wait_for_stores(stores: Stores, ledger: Ledger) -> None:
    stores.wait_until_drained()
    stores.wait_for_accounts(ledger)


@dataclass(frozen=True)
class _Day:
    """What plays the acts of a plan."""

    running: System
    plan: Plan
    ledger: Ledger
    sampler: Sampler
    alarms: Deployed

    def play(self, act: Act) -> tuple[Scene, list[str]]:
        """Play an act; return it with the operations that don't work at its end."""
        running, ledger = self.running, self.ledger
        began = ledger.now()
        time.sleep(self.plan.before_s)
        lost = ledger.now()
        moved: float | None = None
        lacked: tuple[Behind, ...] = ()
        try:
            with losses(running, act):
                if act.new_home:
                    time.sleep(self._seconds(act) / 4)
                    move(running, act.new_home, is_lost=True)
                    moved = ledger.now()
                    writes = ledger.writes()
                    lacked = at_the_move(lost, writes, present_in(running, act.new_home, writes))
                self._wait_for_the_end(act, began, lost, moved)
                returned = ledger.now()
        finally:
            if act.new_home:
                move(running, running.regions[0])
        ledger.forget_steadiness()
        time.sleep(self.plan.after_s)
        closed = wait_until_open(ledger)
        waiting = _wait_for_replication(running)
        closed += [f"replication of {waiting} writes"] if waiting else []
        return Scene(act, began, lost, returned, ledger.now(), moved, lacked), closed

    def _seconds(self, act: Act) -> float:
        return act.seconds if self.plan.lost_s is None else self.plan.lost_s

    def _wait_for_the_end(self, act: Act, began: float, lost: float, moved: float | None) -> None:
        """Wait for the seconds of a loss, and until its alarms ring."""
        end = lost + self._seconds(act)
        if moved is not None:
            stay_s = MOVED_S if self.plan.lost_s is None else self.plan.lost_s * 3 / 4
            end = max(end, moved + stay_s)
        receivers = self.running.regions[1:]
        while self.ledger.now() < end or (
            self.plan.checks_alarms
            and self.ledger.now() < end + ALARMS_TIMEOUT_S
            and not has_rung(act, receivers, self.alarms, self.sampler.since(began))
        ):
            time.sleep(_POLL_S)


def _with_events(scene: Scene, ledger: Ledger, stored: Stored) -> Scene:
    """Add the events that only the lost home had: each Region has its own stream and lake."""
    if not scene.behind:
        return scene
    lake = stored.lakes.get(scene.act.new_home or "", {})
    return replace(scene, behind=(behind(scene.lost, ledger.events, lake, "events"), *scene.behind))


def wait_until_open(ledger: Ledger) -> list[str]:
    """Wait until each operation answers several times in a row; return those that don't."""
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        closed = [
            f"{operation} {continent}"
            for operation in OPERATIONS
            for continent in CONTINENTS
            if not ledger.is_steady(operation, continent)
        ]
        if not closed or time.monotonic() > deadline:
            return closed
        time.sleep(_POLL_S)


def _wait_for_replication(running: System) -> int:
    """Wait until no write waits for another Region; return the number of those that do."""
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    while (waiting := waiting_writes(running)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return waiting
