"""What a person asks for: run it once, keep it up, take it down."""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow
from uuid import uuid4

from aws_emulator import processes
from aws_emulator.errors import CommandError
from tools import seed
from tools.dev import system
from tools.dev.system import Ports
from tools.progress import step
from tools.replay import command as replay
from tools.report import command as report
from tools.sam import ROOT

#: Everything that a run leaves behind; a test takes another folder.
STATE = Path(os.environ.get("MERIDIAN_STATE") or ROOT / ".meridian")
#: Where `make up` answers unless told otherwise.
UP_EDGE_PORT = 8080
UP_EMULATOR_PORT = 4566
#: Where the foundation has replicas of its tables (stacks/foundation.yaml).
KNOWN_REGIONS = frozenset({"us-east-1", "eu-west-2", "ap-south-1"})


@dataclass(frozen=True)
class Wishes:
    """What the environment of `make` asks for. A port of 0 is any free one; None is the default."""

    log: str | None
    edge_port: int | None
    emulator_port: int | None
    clients: int
    regions: tuple[str, ...]
    seed: int | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Wishes":
        """Read LOG, PORT, EMULATOR_PORT, CLIENTS, REGIONS, SEED. Raises CommandError."""
        return cls(
            log=environment.get("LOG") or None,
            edge_port=_number(environment, "PORT", 0, 65535),
            emulator_port=_number(environment, "EMULATOR_PORT", 0, 65535),
            clients=_number(environment, "CLIENTS", 1, 64) or 8,
            regions=_regions(environment),
            seed=_number(environment, "SEED", 0, 2**31 - 1),
        )


def _number(environment: Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    text = environment.get(name)
    if not text:
        return None
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise CommandError(f"{name} must be a number from {lowest} to {highest}, not {text!r}.")
    return int(text)


def _regions(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = [name.strip() for name in environment.get("REGIONS", "").split(",") if name.strip()]
    unknown = set(names) - KNOWN_REGIONS
    if unknown:
        known = ", ".join(sorted(KNOWN_REGIONS))
        raise CommandError(f"REGIONS may name {known}, not {', '.join(sorted(unknown))}.")
    return (system.HOME_REGION, *(name for name in names if name != system.HOME_REGION))


def run(wishes: Wishes) -> int:
    """Build, deploy, replay, report, stop. Returns 0 only if nothing accepted is missing."""
    ports = Ports(emulator=wishes.emulator_port or 0, edge=wishes.edge_port or 0)
    with system.started(STATE / "run", ports) as running:
        print(f"  the system answers at {running.url}")
        passed = {student.paying: student.token for student in running.students}
        summary = replay.run(
            url=running.url,
            write_key=running.deployed.write_key,
            source=wishes.log,
            clients=wishes.clients,
            tokens={"paying student": passed[True], "student who has not paid": passed[False]},
            directory=running.directory,
        )
        return report.run(
            endpoint=running.place.endpoint,
            region=running.place.region,
            bucket=running.deployed.outputs["LakeBucket"],
            poller_status=running.poller_status,
            summary=summary,
            directory=running.directory,
        )


def chaos(wishes: Wishes) -> int:
    """Build, deploy, send under faults, repair, count, stop. Returns 0 only if nothing differs."""
    # Imported here: it uses the operator's commands, and those look for what `up` serves.
    from tools.chaos import command
    from tools.chaos.plan import Plan

    ports = Ports(emulator=wishes.emulator_port or 0, edge=wishes.edge_port or 0)
    seed_used = randbelow(2**31) if wishes.seed is None else wishes.seed
    with system.started(STATE / "chaos", ports) as running:
        return command.run(running, Plan(seed_used))


def up(wishes: Wishes) -> int:
    """Serve the whole system until Ctrl-C."""
    ports = Ports(
        emulator=UP_EMULATOR_PORT if wishes.emulator_port is None else wishes.emulator_port,
        edge=UP_EDGE_PORT if wishes.edge_port is None else wishes.edge_port,
    )
    with system.started(STATE / "up", ports, wishes.regions) as running:
        _print_address(running)
        try:
            while True:
                signal.pause()
        except KeyboardInterrupt:
            with step("stopping"):
                running.services.stop()
    return 0


def _print_address(running: system.System) -> None:
    url, outputs = running.url, running.deployed.outputs
    print(f"\nMeridian is up, as {running.place.stack} on an emulator of AWS.\n")
    print(f"  portal     {url}/   (sign up, sign in, book, watch live)")
    print(f"  lesson     {url}/premium/   (for the group {seed.PAYING})")
    for student in running.students:
        group = "paying" if student.paying else "not paying"
        print(f"  student    {student.email}  password {student.password}  ({group})")
    print(
        "             (the emulator's sign-in knows no “Forgot password”: sign in as one of these)"
    )
    print(f"  school     {url}/api/   (src/stepfunctions/api.yaml says what it answers)")
    print(f"  letters    {running.place.endpoint}/_ministack/ses/messages")
    print(f"  collector  {url}/v1/batch   write key {running.deployed.write_key}")
    print(f"  AWS        AWS_ENDPOINT_URL={running.place.endpoint}  (any credentials)")
    print(f"  lake       s3://{outputs['LakeBucket']}/events/")
    print(f"  logs       {running.directory / 'logs'}/")
    print(f"\nAn account without the form:\n{account_example(url, str(uuid4()))}")
    print("\nCtrl-C stops it.", flush=True)


def account_example(url: str, request_id: str) -> str:
    """Return two commands: ask for an account, then see what became of it."""
    body = {"requestId": request_id, "email": "asha@example.com", "name": "Asha Menon"}
    return (
        f"  curl -s {url}/api/accounts -H 'Content-Type: application/json' \\\n"
        f"    -d '{json.dumps(body)}'\n"
        f"  curl -s {url}/api/accounts/requests/{request_id}"
    )


def down(_wishes: Wishes) -> int:
    """Stop what an earlier run or up left behind."""
    ended = []
    for name in ("run", "up", "chaos"):
        owner = processes.find_owner(STATE / name)
        if owner is not None:
            os.kill(owner, signal.SIGTERM)
            processes.wait_for_exit(owner)
            ended.append(f"make {name} (process {owner})")
        ended += processes.stop_leftovers(STATE / name)
    print(f"stopped: {', '.join(ended)}" if ended else "nothing was running")
    return 0
