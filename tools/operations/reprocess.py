"""`make reprocess`: make the rows of a day again in the data lake of each Region.

The workflow `reprocess` of each Region does it (src/stepfunctions/reprocess.asl.yaml). It goes on
if this command is interrupted; the same command then follows it, or continues a run that failed.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.operations.evacuate import Stage, aws_stage, local_stage
from tools.paths import STATE

#: Between two looks at an execution, in seconds.
POLL_S: Final = 2.0
#: As in src/stream_processor/reprocessing/reprocess_day.py.
RUN: Final = "run"
UNDO: Final = "undo"
CONFIRM: Final = "confirm"
_RUNNING: Final = "RUNNING"
_SUCCEEDED: Final = "SUCCEEDED"


@dataclass(frozen=True)
class Workflow:
    """The state machine of a Region."""

    region: str
    name: str
    states: Any

    @property
    def arn(self) -> str:
        """The state machine's ARN.

        Raises:
            CommandError: The Region has no such state machine, or doesn't answer.
        """
        with _calls(self):
            for page in self.states.get_paginator("list_state_machines").paginate():
                for machine in page["stateMachines"]:
                    if machine["name"] == self.name:
                        return str(machine["stateMachineArn"])
        raise CommandError(
            f"{self.region} has no state machine {self.name}. Deploy the stage again."
        )

    def running(self, day: date) -> tuple[str, str] | None:
        """Return the ARN and the mode of the execution that works on a day.

        Raises:
            CommandError: Step Functions refused the call.
        """
        with _calls(self):
            pages = self.states.get_paginator("list_executions").paginate(
                stateMachineArn=self.arn, statusFilter=_RUNNING
            )
            for page in pages:
                for execution in page["executions"]:
                    name = str(execution["name"])
                    if name.startswith(f"{day}-"):
                        mode = name.removeprefix(f"{day}-").partition("-")[0]
                        return str(execution["executionArn"]), mode
        return None

    def start(self, day: date, mode: str, now: datetime) -> str:
        """Start an execution, or return the one that does the same already.

        Raises:
            CommandError: Another execution works on the day, or Step Functions refused the call.
        """
        running = self.running(day)
        if running is not None:
            execution, its_mode = running
            if its_mode == mode:
                return execution
            raise CommandError(
                f"{self.region}: the execution {execution.rpartition(':')[2]} works on the day. "
                "Wait until it has ended, or stop it."
            )
        begin = {"day": str(day), "mode": mode, "position": None, "counts": None}
        with _calls(self):
            started = self.states.start_execution(
                # The alias: a deployment doesn't change the definition of a redriven execution.
                stateMachineArn=f"{self.arn}:live",
                name=f"{day}-{mode}-{now:%Y%m%dT%H%M%S%f}",
                input=json.dumps(begin),
            )
        return str(started["executionArn"])

    def answer(self, execution: str, sleep: Callable[[float], None]) -> dict[str, Any]:
        """Wait for an execution, and return its last answer.

        Raises:
            CommandError: The execution failed, or Step Functions refused the call.
        """
        while True:
            with _calls(self):
                status = self.states.describe_execution(executionArn=execution)
            if status["status"] == _SUCCEEDED:
                answer: dict[str, Any] = json.loads(status["output"])
                return answer
            if status["status"] != _RUNNING:
                reason = f"{status.get('error') or status['status']} {status.get('cause') or ''}"
                raise CommandError(
                    f"{self.region}: the execution {execution.rpartition(':')[2]} ended: "
                    f"{reason.strip()[:300]}. Repeat the command: it continues."
                )
            sleep(POLL_S)


@contextmanager
def _calls(workflow: Workflow) -> Iterator[None]:
    """Turn errors of Step Functions into a CommandError.

    Raises:
        CommandError: Step Functions refused a call or didn't answer.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't call Step Functions in {workflow.region} for {workflow.name}: "
            f"{reason_of(error)}. Check PLACE= and your credentials."
        ) from error


def workflows_of(stage: Stage, region: str) -> list[Workflow]:
    """Return the workflows of a Region, or of all Regions with a data lake.

    Raises:
        CommandError: The stage has no such Region.
    """
    regions = stage.regions()
    if region and region not in regions:
        raise CommandError(f"REGION must be one of {', '.join(regions)}, not {region}.")
    name = f"meridian-{stage.layout.home.stage}-reprocess"
    return [
        Workflow(it, name, stage.clients("stepfunctions", it))
        for it in ([region] if region else regions)
    ]


def reprocess(
    workflows: Sequence[Workflow],
    day: date,
    mode: str,
    now: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, dict[str, Any]]:
    """Run a mode on a day in each Region at once; return each Region's last answer.

    Raises:
        CommandError: An execution failed or can't be started.
    """
    executions = [(it, it.start(day, mode, now)) for it in workflows]
    for workflow, execution in executions:
        print(f"{workflow.region}: the execution {execution.rpartition(':')[2]} works on the day.")
    return {it.region: it.answer(execution, sleep) for it, execution in executions}


def lines_of(region: str, answer: Mapping[str, Any]) -> list[str]:
    """Return what a Region's report says."""
    counts, mode = answer["counts"], answer["mode"]
    lines = []
    if mode == RUN:
        objects, written, changed = (counts[it] for it in ("objects", "written", "changed"))
        before, after = _verdicts(counts["before"]), _verdicts(counts["after"])
        lines = [
            f"{region}: read {objects:,} objects, wrote {written:,} with {changed:,} changed rows",
            f"{region}: rows before: {before}; after: {after}",
        ]
        if counts["refused"]:
            lines.append(
                f"{region}: {counts['refused']:,} events are invalid by the current code and stay."
            )
        if counts["left"]:
            lines.append(f"{region}: {counts['left']:,} objects of a newer version stay.")
    elif mode == UNDO:
        lines = [f"{region}: {counts['written']:,} objects have the rows of before again."]
    else:
        lines = [f"{region}: deleted {counts['written']:,} versions with the rows of before."]
    if counts["old_versions"] and mode == RUN:
        lines.append(
            f"{region}: {counts['old_versions']:,} versions with the rows of before are kept for "
            "30 days. Check the day, then add CONFIRM=1 to delete them, or UNDO=1 to use them."
        )
    if not answer["complete"]:
        lines.append(f"{region}: rows of before are missing. Add UNDO=1, and report it.")
    return lines


def _verdicts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Make the rows of DAY again in the stage PLACE on AWS, or in the system of `make up`.

    Returns 1 if a row is missing afterwards. REGION is one Region instead of all. REPORT is a file
    for the Regions' last answers as JSON.

    Raises:
        CommandError: A variable is missing or wrong, or a Region failed.
    """
    try:
        day = date.fromisoformat(environment.get("DAY", "").strip())
    except ValueError as error:
        raise CommandError("Run `make reprocess` with DAY=<date>, such as 2026-11-28.") from error
    modes = [name for name in (CONFIRM, UNDO) if environment.get(name.upper(), "") not in ("", "0")]
    if len(modes) > 1:
        raise CommandError("Set CONFIRM=1 or UNDO=1 for `make reprocess`, not both.")
    name = environment.get("PLACE", "")
    stage = aws_stage(name) if name else local_stage(directory)
    workflows = workflows_of(stage, environment.get("REGION", "").strip())
    answers = reprocess(workflows, day, next(iter(modes), RUN), datetime.now(UTC))
    if file := environment.get("REPORT"):
        Path(file).write_text(json.dumps(answers, indent=2))
    for region, answer in answers.items():
        print("\n".join(lines_of(region, answer)))
    return 0 if all(it["complete"] for it in answers.values()) else 1


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
