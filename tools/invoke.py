"""`python -m tools.invoke`: run a built function with an event, without Docker (`make invoke`).

FUNCTION is a logical ID of template.yaml or a nested template, EVENT a JSON file. If `make up` is
running, the function gets its deployed environment and calls the emulator. The response is written
to standard output, log lines and errors to standard error.
"""

import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.built_functions import BuiltFunction, find_function, templates
from aws_emulator.deployed_functions import function_names
from aws_emulator.errors import CommandError
from aws_emulator.invoke import Deployment, invoke
from tools.cli import exit_code, reason_of
from tools.dev.sam_deployment import build_lock
from tools.paths import ROOT, STATE
from tools.stack import EDGE_REGION, StackTarget, client, find_running_stack

BUILD: Final = ROOT / ".aws-sam" / "build"
PYTHON: Final = ROOT / ".venv-lambda" / "bin" / "python"
#: The custom resource that publishes a Lambda@Edge function with its settings.
_EDGE_VERSION: Final = "Custom::EdgeVersion"
SETTINGS_FILE: Final = "settings.json"
_EXAMPLE: Final = "make invoke FUNCTION=ValidateFunction EVENT=events/stepfunctions/validate.json"


def run(options: Mapping[str, str], build: Path = BUILD, python: Path = PYTHON) -> int:
    """Invoke FUNCTION with EVENT; return 0, or 1 if the function returned an error.

    Raises:
        CommandError: An option is invalid, or the function can't be started.
    """
    name = options.get("FUNCTION", "").strip()
    if not name:
        raise CommandError(f"FUNCTION is missing. For example: {_EXAMPLE}")
    event = read_event(options.get("EVENT", ""))
    function, at_edge = read_function(build, name)
    home, target = running_stacks(STATE / "up", at_edge=at_edge)
    if at_edge and target is None:
        raise CommandError(
            f"{name} runs at the edge and reads {SETTINGS_FILE}, which only a deployment adds to "
            "its package. Start `make up` in another terminal first."
        )
    if home is None or target is None:
        deployment = Deployment.undeployed(function)
        _print_log(_undeployed_notice(function))
    else:
        # An edge function runs near the visitor, as a replica.
        deployment = replace(read_deployment(target, function), region=home.region)
    with contextlib.ExitStack() as stack:
        stack.enter_context(build_lock(fcntl.LOCK_SH))
        if at_edge and target is not None:
            settings = published_settings(target, deployment.function_name)
            function = stack.enter_context(with_settings(function, settings))
        result = invoke(function, event, python, deployment, _print_log)
    document = result.response if result.error is None else result.error
    print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)
    if result.error is not None:
        # The client has logged the stack trace.
        error_type, message = result.error.get("errorType"), result.error.get("errorMessage")
        raise CommandError(
            f"{name} failed: {error_type}: {message}. Read its log above, then correct the "
            "function or the event."
        )
    return 0


def read_event(path: str) -> Any:
    """Return the JSON document in a file.

    Raises:
        CommandError: The file can't be read, or isn't JSON.
    """
    if not path:
        raise CommandError(f"EVENT is missing: a JSON file with the event. For example: {_EXAMPLE}")
    try:
        return json.loads(Path(path).read_text())
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(f"Can't read EVENT={path}: {reason}. Examples: events/") from error
    except ValueError as error:
        raise CommandError(
            f"EVENT={path} is not valid JSON: {error}. Correct the file. Examples: events/"
        ) from error


def read_function(build: Path, name: str) -> tuple[BuiltFunction, bool]:
    """Return a function of the build output, and whether it runs at the edge.

    Another command can be building: `sam build` deletes the output first.

    Raises:
        CommandError: There is no such function, or a template is missing or invalid.
    """
    with build_lock(fcntl.LOCK_SH):
        return find_function(build, name), name in edge_functions(build)


def edge_functions(build: Path) -> set[str]:
    """Return the logical IDs of the functions that the edge_settings function publishes.

    Raises:
        CommandError: A template is missing or invalid.
    """
    logical_ids = set()
    for template in templates(build / "template.yaml"):
        for resource in template.resources.values():
            if resource.get("Type") == _EDGE_VERSION:
                # SAM's reference to a published version: "EdgeAuthFunction.Version".
                version = resource["Properties"].get("BuiltVersion") or {}
                logical_ids.add(str(version.get("Ref", "")).partition(".")[0])
    return logical_ids


def running_stacks(
    directory: Path, *, at_edge: bool
) -> tuple[StackTarget | None, StackTarget | None]:
    """Return the home's stack and the one with the function, or None if no system runs.

    Args:
        directory: The folder of the running system.
        at_edge: Whether the function is one of Lambda@Edge, which the edge's stack has.
    """
    home = find_running_stack(directory)
    if home is None or not at_edge:
        return home, home
    return home, replace(home, region=EDGE_REGION)


def read_deployment(target: StackTarget, function: BuiltFunction) -> Deployment:
    """Return the deployed function's name, ARN and environment from the running system.

    Raises:
        CommandError: The running system has no such function.
    """
    try:
        names = function_names(client("cloudformation", target), target.stack_name)
        name = names.get(function.logical_id)
        if name is None:
            raise CommandError(
                f"The running system has no function {function.logical_id}. "
                "Restart `make up` to deploy the current template."
            )
        configuration = client("lambda", target).get_function_configuration(FunctionName=name)
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"Can't read {function.logical_id} from `make up`: {reason_of(error)}. Restart `make "
            "up`."
        ) from error
    return Deployment(
        name,
        str(configuration["FunctionArn"]),
        (configuration.get("Environment") or {}).get("Variables") or {},
        region=target.region,
        endpoint=target.endpoint,
    )


def published_settings(target: StackTarget, function_name: str) -> bytes:
    """Return settings.json from the function version that the distribution runs.

    Raises:
        CommandError: The distribution has no version of this function, or the version no settings.
    """
    cloudfront = client("cloudfront", target)
    try:
        distributions = cloudfront.list_distributions()["DistributionList"].get("Items", [])
        configs = [cloudfront.get_distribution_config(Id=it["Id"]) for it in distributions]
        version = associated_version(configs, function_name)
        code = client("lambda", target).get_function(FunctionName=function_name, Qualifier=version)
        with urllib.request.urlopen(code["Code"]["Location"], timeout=30) as response:
            package = response.read()
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            return archive.read(SETTINGS_FILE)
    except (ClientError, BotoCoreError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise CommandError(
            f"Can't read {SETTINGS_FILE} of {function_name} from `make up`: {error}. Restart "
            "`make up`."
        ) from error


def associated_version(configs: list[dict[str, Any]], function_name: str) -> str:
    """Return the version in the Lambda@Edge associations of distribution configurations.

    Raises:
        CommandError: No association names the function.
    """
    pattern = re.compile(rf":function:{re.escape(function_name)}:(\d+)\"")
    for config in configs:
        if match := pattern.search(json.dumps(config["DistributionConfig"])):
            return match[1]
    raise CommandError(
        f"The distribution of `make up` has no association with {function_name}. "
        "Restart `make up` to deploy the current template."
    )


@contextlib.contextmanager
def with_settings(function: BuiltFunction, settings: bytes) -> Iterator[BuiltFunction]:
    """Yield the function with a copy of its package that contains settings.json."""
    with tempfile.TemporaryDirectory(prefix="invoke-package-") as folder:
        package = Path(folder) / function.logical_id
        shutil.copytree(function.directory, package)
        (package / SETTINGS_FILE).write_bytes(settings)
        yield replace(function, directory=package)


def _undeployed_notice(function: BuiltFunction) -> str:
    text = "`make up` is not running: the function can't call AWS"
    if function.unresolved:
        text += f", and these variables are not set: {', '.join(function.unresolved)}"
    return f"{text}."


def _print_log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run the command with the options that `make` exports, and return its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return exit_code(lambda: run(os.environ))


if __name__ == "__main__":
    raise SystemExit(main())
