"""`sam build` and `sam deploy`, as a person would type them, against the emulator."""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_emulator import sam_cli
from aws_emulator.endpoint import Endpoint
from aws_emulator.sam_cli import SamProject
from tools.progress import Step, step

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
UV = ROOT / ".meridian" / "bin" / "uv"


@dataclass(frozen=True)
class Place:
    """Where the emulator answers, and in which region a stack is deployed."""

    endpoint: str
    region: str
    stage: str = "local"

    @property
    def stack(self) -> str:
        """The stack's name, one per region: generated role names depend on it; IAM is global."""
        return f"meridian-{self.stage}-{self.region}"

    def endpoint_in_region(self) -> Endpoint:
        """Return the endpoint as clients in the place's region see it."""
        return Endpoint(self.endpoint, self.region)

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that talks to the emulator, and to nothing else."""
        return self.endpoint_in_region().environment([BIN]) | {
            # src/Makefile installs with this uv; one found by name may be a shim that fails.
            "MERIDIAN_UV": str(UV),
            # SAM's own configuration folder; the user's home may be read-only.
            "__SAM_CLI_APP_DIR": str(ROOT / ".meridian" / "sam"),
        }


def client(service: str, place: Place) -> Any:
    """Return a client of the emulator."""
    return place.endpoint_in_region().client(service)


def build(place: Place, log: Path) -> None:
    """Run `sam build`; what it makes is in .aws-sam/build. Raises CommandError."""
    with _alone(), step("sam build") as progress:
        sam_cli.build(SamProject(ROOT, "default"), place.environment(), log, _note(progress))


def deploy(place: Place, parameters: Mapping[str, str], log: Path) -> None:
    """Run `sam deploy` of what `build` made, with `parameters` for the template.

    Raises CommandError with CloudFormation's own reason where it gave one.
    """
    with _alone(), step(f"sam deploy ({place.region})") as progress:
        sam_cli.deploy(
            SamProject(ROOT, "local"),
            place.endpoint_in_region(),
            place.stack,
            {"Stage": place.stage, **parameters},
            place.environment(),
            log,
            _note(progress),
        )


def _note(progress: Step) -> Callable[[str], None]:
    return lambda line: progress.note(line[:60])


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other run of this checkout builds or packages: both use .aws-sam/build."""
    lock = ROOT / ".meridian" / "build.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
