"""`make erase`: erase a person from the data lakes and failures buckets of all Regions.

The person's items in the tables and the user are erased first, by `make person`: otherwise the
nightly comparison would write the appointments to the lake again.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.operations import commands
from tools.operations.commands import OperatedStack
from tools.operations.staff_functions import invoke
from tools.operations.stage import Stage, find_stage
from tools.operations.why import stacks_of
from tools.paths import STATE

#: Ids are passed as arguments of a process: a person has few, and an argument is limited.
MAX_VISITORS: Final = 1_000


def erase(
    stage: Stage,
    stacks: Sequence[OperatedStack],
    ids: Sequence[str],
    sleep: Callable[[float], None] = time.sleep,
) -> list[dict[str, Any]]:
    """Suppress a person and erase the person in each Region; return the Regions' reports.

    Args:
        stage: The stage, for its sources and appointments.
        stacks: The stacks with a lake.
        ids: The user id first, then email addresses and their hashes.
        sleep: Waits for some seconds.

    Raises:
        CommandError: The tables still have the person, or a Region can't be read or written.
    """
    _require_no_appointment(stage, ids[0])
    visitors, shared = set[str](), set[str]()
    for stack in stacks:
        browsers = _run(stack, ["--find", *_arguments(ids, ())])
        visitors |= set(browsers["visitors"])
        shared |= set(browsers["shared"])
    if len(visitors) > MAX_VISITORS:
        raise CommandError(
            f"{ids[0]} came with {len(visitors):,} anonymous ids, more than a person has. Check "
            "USER: it may be the id of a server or of a test."
        )
    functions, name = stage.clients("lambda"), f"meridian-{stage.name}-sources"
    # The events of others who use such a browser are stored as before.
    for known in [*ids, *sorted(visitors - shared)]:
        body = invoke(functions, name, {"action": "suppress", "person": known})
    sleep(float(body.get("effectiveWithinSeconds", 0)))
    return [_run(stack, _arguments(ids, sorted(visitors))) for stack in stacks]


def lines_of(report: Mapping[str, Any]) -> list[str]:
    """Return what a Region's report says."""
    rows = ", ".join(f"{count:,} rows of {name}" for name, count in sorted(report["rows"].items()))
    region, objects, versions = report["region"], report["objects"], report["versions"]
    lines = [
        f"{region}: erased {rows or 'no rows'}; changed {objects:,} objects",
        f"{region}: deleted {versions:,} older versions; read {report['objects_read']:,} versions",
    ]
    lines += [f"{region}: left: {it}" for it in report["left"]]
    if report["waiting"]:
        lines.append(
            f"{region}: {report['waiting']:,} records with the person are on their way to the "
            "lake. Run the command again in some minutes."
        )
    if report["complete"]:
        lines.append(
            f"{region}: nothing of the person is left in the lake and the failures bucket. The "
            f"stream's own records expire until {report['stream_expires']}."
        )
    return lines


def _require_no_appointment(stage: Stage, user: str) -> None:
    try:
        items = stage.clients("dynamodb").query(
            TableName=stage.table("appointments"),
            IndexName="by_student",
            KeyConditionExpression="student = :student",
            ExpressionAttributeValues={":student": {"S": user}},
            Limit=1,
        )["Items"]
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't read the appointments of {user}: {reason_of(error)}. Check STAGE= and your "
            "credentials."
        ) from error
    if items:
        raise CommandError(
            f"The appointments table still has appointments of {user}. Run `make person USER=<email"
            " address> ERASE=1` first."
        )


def _arguments(ids: Sequence[str], visitors: Sequence[str]) -> list[str]:
    return [*(f"--visitor={it}" for it in visitors), "--", *ids]


def _run(stack: OperatedStack, arguments: Sequence[str]) -> Any:
    done = commands.run(stack, "erase", arguments, capture=True)
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise CommandError(
            f"Can't erase the person in {stack.region}: {done.stderr.strip()} Run the command again"
            " to continue."
        ) from error


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Erase the person USER_NAME. Returns 1 if something of the person is left.

    EMAIL is an address of the person, which events can contain, too. REPORT is a file for the
    Regions' reports as JSON.

    Raises:
        CommandError: A variable is missing, no system is running, or a Region failed.
    """
    user, email = environment.get("USER_NAME", "").strip(), environment.get("EMAIL", "").strip()
    if not user:
        raise CommandError("Run `make erase` with USER=<userId or anonymousId> and CONFIRM=<same>.")
    if environment.get("CONFIRM", "").strip() != user:
        raise CommandError(
            f"An erasure can't be undone. To confirm it, add CONFIRM={user} to the command."
        )
    return run(environment, directory, user, email)


def run(environment: Mapping[str, str], directory: Path, user: str, email: str) -> int:
    """Erase a person from the lake of each Region and print the report; 1 if something is left.

    Raises:
        CommandError: No system is running, or a Region failed.
    """
    ids = [user, *ids_of_address(email)]
    reports = erase(find_stage(environment), stacks_of(environment, directory), ids)
    if file := environment.get("REPORT"):
        Path(file).write_text(json.dumps(reports, indent=2))
    print("\n".join(line for report in reports for line in lines_of(report)))
    for known in ids:
        print(
            f"The collector stores no more events of {known}, until `make suppress PERSON={known} "
            "RELEASE=1`."
        )
    return 0 if all(it["complete"] for it in reports) else 1


def ids_of_address(email: str) -> list[str]:
    """Return an address, and its SHA-256 as analytics SDKs send it; nothing for no address."""
    if not email:
        return []
    return [email, hashlib.sha256(email.lower().encode()).hexdigest()]


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
