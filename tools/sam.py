"""`sam build` and `sam deploy`, as a person would type them, against the emulator."""

import fcntl
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.progress import Step, step

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
#: Seconds. On the emulator a deployment takes seconds; one that hangs must end in a sentence.
DEPLOY_TIMEOUT_S = 240


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

    def environment(self) -> dict[str, str]:
        """Return the environment of a program that talks to the emulator, and to nothing else."""
        # Proxies, certificates and indexes are the person's own; AWS settings are not for here.
        kept = {
            name: it for name, it in os.environ.items() if not name.startswith(("AWS_", "SAM_"))
        }
        return kept | {
            "PATH": f"{BIN}:{ROOT / '.meridian/uv/bin'}:{ROOT / '.meridian/uv/target/bin'}:"
            + os.environ.get("PATH", ""),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            # Nothing of the person's own AWS set-up may reach the emulator, or it them.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "SAM_CLI_TELEMETRY": "0",
            # Seconds between two looks at a deployment; five is for a cloud.
            "SAM_CLI_POLL_DELAY": "0.5",
            "PYTHONUNBUFFERED": "1",
        }


def client(service: str, place: Place) -> Any:
    """Return a client of the emulator."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name=place.region,
        endpoint_url=place.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator's
        config=Config(retries={"max_attempts": 3, "mode": "standard"}),
    )


def build(place: Place, log: Path) -> None:
    """Run `sam build`; what it makes is in .aws-sam/build. Raises CommandError."""
    with _alone(), step("sam build") as progress:
        _run([str(BIN / "sam"), "build"], place.environment(), log, progress, 900)


def deploy(place: Place, parameters: Mapping[str, str], log: Path) -> None:
    """Run `sam deploy` of what `build` made, with `parameters` for the template.

    Raises CommandError with CloudFormation's own reason where it gave one.
    """
    command = [
        *(str(BIN / "sam"), "deploy", "--config-env", "local"),
        *("--stack-name", place.stack, "--region", place.region),
        *("--parameter-overrides", f"Stage={place.stage}"),
        *(f"{name}={value}" for name, value in parameters.items()),
    ]
    with _alone(), step(f"sam deploy ({place.region})") as progress:
        try:
            _run(command, place.environment(), log, progress, DEPLOY_TIMEOUT_S)
        except CommandError as error:
            # SAM wraps the reason into a column of a table; CloudFormation says it in one line.
            cause = failure_reason(place)
            if cause is None:
                raise
            raise CommandError(f"`sam deploy` failed: {cause} (all of it: {log})") from error


def failure_reason(place: Place) -> str | None:
    """Return what CloudFormation says of the first resource that failed, if it knows the stack."""
    cloudformation = client("cloudformation", place)
    try:
        events = cloudformation.describe_stack_events(StackName=place.stack)["StackEvents"]
    except (ClientError, BotoCoreError):
        return None
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    # Newest first: the last of the list is the cause, those before it its consequences.
    return (
        f"{failed[-1]['LogicalResourceId']}: {failed[-1]['ResourceStatusReason']}"
        if failed
        else None
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other run of this checkout builds or packages: both use .aws-sam/build."""
    lock = ROOT / ".meridian" / "build.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    progress: Step,
    timeout_s: float,
) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as copy,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        # Reading waits for the end of the output, so the time is kept beside it.
        late = threading.Timer(timeout_s, process.kill)
        late.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                copy.write(line)
                if line.strip():
                    progress.note(line.strip()[:60])
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            late.cancel()
    if code == -signal.SIGKILL:
        raise CommandError(
            f"`sam {command[1]}` did not end within {timeout_s:g} s, or was killed ({log})."
        )
    if code != 0:
        raise CommandError(
            f"`sam {command[1]}` failed: {_reason(log.read_text())} (all of it: {log})"
        )


def _reason(output: str) -> str:
    """Return the line of SAM's output that says why."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # A failed resource's own row is closer to the cause than SAM's closing line.
    failed = [line for line in lines if re.search(r"(CREATE|UPDATE)_FAILED", line)]
    errors = [line for line in lines if line.startswith(("Error", "Build Failed"))]
    chosen = failed[:1] or errors[-1:] or lines[-1:]
    return re.sub(r"\s+", " ", chosen[0])[:400] if chosen else "no word"
