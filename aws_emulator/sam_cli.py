"""`sam build` and `sam deploy` of a SAM project against the emulator.

A failed deployment ends in a CommandError with CloudFormation's reason for the first failed
resource.
"""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator import stack_failures
from aws_emulator.endpoint import Endpoint
from aws_emulator.errors import CommandError

BUILD_TIMEOUT_S: Final = 900
#: A deployment to the emulator takes seconds; on AWS it may take an hour.
DEPLOY_TIMEOUT_S: Final = 600
_MAX_MESSAGE_CHARS: Final = 400
#: The command of SAM CLI, which is installed in this Python environment.
SAM: Final = (sys.executable, "-P", str(Path(__file__).with_name("sam_launcher.py").absolute()))

type OnLine = Callable[[str], None]


@dataclass(frozen=True)
class SamProject:
    """A SAM project on disk.

    `directory` holds the template. `config_env` names the environment of its samconfig.toml whose
    parameters apply; None ignores samconfig.toml. `build_dir` is where `sam build` writes; None is
    SAM's default, .aws-sam/build in the project.
    """

    directory: Path
    config_env: str | None = None
    build_dir: Path | None = None

    def config_arguments(self, log: Path) -> list[str]:
        """Return SAM's options for its configuration. An empty file is written beside `log`."""
        if self.config_env is not None:
            return ["--config-env", self.config_env]
        # Without this option SAM reads the samconfig.toml beside the template.
        empty = log.with_name("samconfig-empty.toml").absolute()
        empty.parent.mkdir(parents=True, exist_ok=True)
        empty.write_text("version = 0.1\n")
        return ["--config-file", str(empty)]


def _ignore(_line: str) -> None:
    return None


def build(
    project: SamProject, environment: Mapping[str, str], log: Path, on_line: OnLine = _ignore
) -> None:
    """Run `sam build`. `on_line` receives each line of its output; `log` receives all of it.

    Raises:
        CommandError: The build failed or exceeded BUILD_TIMEOUT_S.
    """
    command = [*SAM, "build", *project.config_arguments(log)]
    if project.build_dir is not None:
        command += ["--build-dir", str(project.build_dir.absolute())]
    run("`sam build`", command, project.directory, environment, log, BUILD_TIMEOUT_S, on_line)


def deploy(
    project: SamProject,
    endpoint: Endpoint,
    stack_name: str,
    parameters: Mapping[str, str],
    environment: Mapping[str, str],
    log: Path,
    on_line: OnLine = _ignore,
) -> None:
    """Run `sam deploy` of the built project to the endpoint's Region.

    Raises:
        CommandError: The deployment failed, with the reason of the first failed resource, or it
            exceeded DEPLOY_TIMEOUT_S.
    """
    command = [
        *(*SAM, "deploy", *project.config_arguments(log)),
        *("--stack-name", stack_name, "--region", endpoint.region),
    ]
    if project.config_env is None:
        command += ["--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
        command += ["--capabilities", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    if project.build_dir is not None:
        command += ["--template-file", str(project.build_dir.absolute() / "template.yaml")]
    if parameters:
        command += ["--parameter-overrides", *(_override(*it) for it in parameters.items())]
    cloudformation = endpoint.client("cloudformation")
    before = _newest_event(cloudformation, stack_name)
    try:
        run("`sam deploy`", command, project.directory, environment, log, DEPLOY_TIMEOUT_S, on_line)
    except CommandError as error:
        # SAM wraps the reason into a table column, and shows the events of the root only.
        causes = stack_failures.causes(cloudformation, stack_name, before)
        if not causes:
            raise
        raise CommandError(f"`sam deploy` failed: {causes[0]}. Log: {log}") from error


def _newest_event(cloudformation: Any, stack_name: str) -> datetime | None:
    try:
        return stack_failures.newest_event(cloudformation, stack_name)
    except (ClientError, BotoCoreError):
        # `sam deploy` reports what is wrong with the endpoint.
        return None


def _override(name: str, value: str) -> str:
    """Return a parameter as `sam deploy` reads it: JSON, for example, needs quotation marks."""
    if '"' not in value:
        return f"{name}={value}"
    escaped = value.replace('"', r"\"")
    return f'{name}="{escaped}"'


def run(
    name: str,
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    log: Path,
    timeout_s: float,
    on_line: OnLine = _ignore,
) -> None:
    """Run a command in `directory`, and copy its output to `log` and line by line to `on_line`.

    Errors call it `name`.

    Raises:
        CommandError: The command failed, or did not end within `timeout_s`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except OSError as error:
        raise CommandError(f"Can't run {name}: {error}.") from error
    with log.open("w") as copy, process:
        # Reading blocks until the output ends, so a timer keeps the time limit.
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                copy.write(line)
                if line.strip():
                    on_line(line.strip())
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    if code == -signal.SIGKILL:
        raise CommandError(f"{name} did not end within {timeout_s:g} s, or was killed. Log: {log}")
    if code != 0:
        raise CommandError(f"{name} failed: {_reason(log.read_text()).rstrip('.')}. Log: {log}")


def _reason(output: str) -> str:
    """Return the line of SAM's output that states the reason of a failure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # A failed resource's row is closer to the cause than SAM's closing line.
    failed = [line for line in lines if re.search(r"(CREATE|UPDATE)_FAILED", line)]
    errors = [line for line in lines if line.startswith(("Error", "Build Failed"))]
    candidates = failed[:1] or errors[-1:] or lines[-1:]
    return re.sub(r"\s+", " ", candidates[0])[:_MAX_MESSAGE_CHARS] if candidates else "no output"
