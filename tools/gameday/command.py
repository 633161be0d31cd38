"""Run a game day on a running system: visitors all day, one act after the other, the checks."""

import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tools.dev.system import System
from tools.gameday import catalogue, report
from tools.gameday.acts import CLOCK_SPEED, CONTINENTS, OPERATIONS, Act
from tools.gameday.alarms import Datum, Rang, evaluate
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


@dataclass(frozen=True)
class Plan:
    """The acts of a day, and at least their seconds before and after the loss.

    `lost_s` replaces the acts' own seconds. Without `checks_alarms`, a loss may be too short to
    raise an alarm. `catalogue_acts` follow the acts.
    """

    seed: int
    acts: Sequence[Act]
    before_s: float = 2.0
    after_s: float = 2.0
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
    with LinkOpener(running, ledger), Publisher(running, visitors.run, ledger):
        with Sampler(running, ledger, CLOCK_SPEED) as sampler:
            visitors.start()
            try:
                with step("waiting until every operation works"):
                    wait_until_open(ledger)
                phases.end("first requests")
                for act in plan.acts:
                    with step(act.name):
                        scenes.append(_play(running, plan, act, ledger))
                        closed[act.name] = wait_until_open(ledger)
            finally:
                visitors.stop()
                phases.end("acts on the school")
        with step("draining the streams, creating the last accounts"):
            stores.wait_until_drained()
            stores.wait_for_accounts(ledger)
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
    catalogue_checks, courses = catalogue.play(
        running,
        random.Random(plan.seed),  # noqa: S311 - not a secret
        visitors.staff.token,
        ledger,
        plan.catalogue_acts,
    )
    checks += catalogue_checks
    phases.end("acts on the catalogue")
    rang: list[Rang] = []
    if plan.checks_alarms:
        rang = _evaluate_alarms(running, scenes, sampler.data, ledger)
        checks += check_alarms(rang)
    phases.end("evaluating the alarms")
    path = running.directory / report.PAGE_FILE
    return report.show(plan.seed, scenes, ledger, checks, rang, path, courses, phases.table())


def _evaluate_alarms(
    running: System, scenes: Sequence[Scene], sampled: Sequence[Datum], ledger: Ledger
) -> list[Rang]:
    """Return the alarms of each act, by the data between its beginning and its end."""
    distribution = running.deployed.outputs["DistributionId"]
    data = [*sampled, *edge_data(ledger.answers, distribution, CLOCK_SPEED)]
    alarms = deployed_alarms(running, data)
    return [
        evaluate(
            scene.act,
            running.regions[1:],
            alarms,
            [it for it in data if scene.began <= it.moment_s / CLOCK_SPEED <= scene.ended],
        )
        for scene in scenes
    ]


def _play(running: System, plan: Plan, act: Act, ledger: Ledger) -> Scene:
    began = ledger.now()
    time.sleep(plan.before_s)
    lost = ledger.now()
    seconds = act.seconds if plan.lost_s is None else plan.lost_s
    moved: float | None = None
    lacked: tuple[Behind, ...] = ()
    try:
        with losses(running, act):
            time.sleep(seconds / 4)
            if act.new_home:
                move(running, act.new_home, is_lost=True)
                moved = ledger.now()
                writes = ledger.writes()
                lacked = at_the_move(lost, writes, present_in(running, act.new_home, writes))
            time.sleep(seconds * 3 / 4)
            returned = ledger.now()
    finally:
        if act.new_home:
            move(running, running.regions[0])
    ledger.forget_steadiness()
    time.sleep(plan.after_s)
    wait_until_open(ledger)
    _wait_for_replication(running)
    return Scene(act, began, lost, returned, ledger.now(), moved, lacked)


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
        time.sleep(0.2)


def _wait_for_replication(running: System) -> None:
    deadline = time.monotonic() + OPEN_TIMEOUT_S
    while waiting_writes(running) and time.monotonic() < deadline:
        time.sleep(0.2)
