"""Run `sam build` and `sam deploy` against the emulator, with a progress display."""

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aws_emulator import sam_cli
from aws_emulator.sam_cli import SamProject
from tools.dev import build_inputs
from tools.lake_sql import job_package
from tools.paths import ROOT
from tools.progress import Step, step
from tools.stack import StackTarget, client, describe_stack


def build(target: StackTarget, log: Path) -> None:
    """Run `sam build` into .aws-sam/build, unless the output is that of the current files.

    Raises:
        CommandError: `sam build` failed.
    """
    with build_lock(fcntl.LOCK_EX):
        inputs = build_inputs.hash_inputs(ROOT)
        if build_inputs.is_current(ROOT, inputs):
            print("✓ sam build (no change since the last one)", flush=True)
            return
        build_inputs.forget(ROOT)
        with step("sam build") as progress:
            sam_cli.build(SamProject(ROOT, "default"), target.environment(), log, _note(progress))
        build_inputs.record(ROOT, inputs)


def deploy(target: StackTarget, parameters: Mapping[str, str], log: Path) -> None:
    """Run `sam deploy` with these template parameters, and upload the Spark jobs.

    Raises:
        CommandError: The deployment failed; the message contains CloudFormation's reason.
    """
    with build_lock(fcntl.LOCK_SH), step(f"sam deploy ({target.region})") as progress:
        sam_cli.deploy(
            SamProject(ROOT, "local"),
            target.regional_endpoint,
            target.stack_name,
            {"Stage": target.stage, **parameters},
            target.environment(),
            log,
            _note(progress),
        )
        job_package.upload(client("s3", target), describe_stack(target).outputs)


def _note(progress: Step) -> Callable[[str], None]:
    return lambda line: progress.note(line[:60])


@contextmanager
def build_lock(kind: int) -> Iterator[None]:
    """Hold the checkout's build lock: concurrent runs share .aws-sam/build.

    A build writes it (LOCK_EX), and deployments read it (LOCK_SH).
    """
    lock = ROOT / ".meridian" / "build.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, kind)
        yield
