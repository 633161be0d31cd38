"""Find the packages that `sam build` created, and run their handlers as Lambda does."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tools.dev.sam_deployment import build_lock

BUILT = ROOT / ".aws-sam" / "build"
#: An interpreter with the packages of AWS's python3.13 image only.
RUNTIME_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"

#: Runs in that interpreter: import the handler, invoke it with each event, print each response.
_INVOKE = """
import importlib, json, sys
module, name = sys.argv[1].rsplit(".", 1)

class Context:
    function_name = "test"
    function_version = "1"
    memory_limit_in_mb = 128
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:test:1"
    log_group_name = log_stream_name = "test"
    def get_remaining_time_in_millis(self):
        return 2_000

handler = getattr(importlib.import_module(module), name)
responses = []
for event in json.load(sys.stdin):
    try:
        responses.append({"response": handler(event, Context())})
    except Exception as error:
        responses.append({"error": type(error).__name__})
sys.__stdout__.write("\\n" + json.dumps(responses) + "\\n")
"""


@pytest.fixture(scope="package")
def sam_build(sam_build: None) -> Iterator[None]:
    """The output of `sam build`, which doesn't change during the tests of the packages."""
    with build_lock(fcntl.LOCK_SH):
        yield


@dataclass(frozen=True)
class Package:
    """A function's package directory and the name of its handler."""

    path: Path
    handler: str

    def invoke(
        self,
        events: list[dict[str, Any]],
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        scratch: Path | None = None,
    ) -> list[dict[str, Any]]:
        """Invoke the handler with each event; return {"response": …} or {"error": type} for each.

        The interpreter is isolated (-I): it ignores the environment, the user site directory and
        the current directory. If `settings` are given, the package is copied to `scratch` with
        them.
        """
        directory = self.path
        if settings is not None:
            assert scratch is not None
            directory = scratch / "package"
            shutil.copytree(self.path, directory)
            (directory / "settings.json").write_text(json.dumps(settings))
        program = f"import sys; sys.path.insert(0, {str(directory)!r})\n{_INVOKE}"
        done = subprocess.run(
            [str(RUNTIME_PYTHON), "-I", "-c", program, self.handler],
            input=json.dumps(events),
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(environment or {})},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        responses = json.loads(done.stdout.rstrip().rpartition("\n")[2])
        assert isinstance(responses, list)
        return responses


def package(function: str, handler: str) -> Package:
    """Return a built package. Fail if the function wasn't built."""
    nested = (BUILT.glob(f"{stacks}/{function}") for stacks in ("*", "*/*", "*/*/*"))
    folders = [path for paths in nested for path in paths if path.is_dir()]
    if not folders:
        pytest.fail(f"{function} isn't built. Run `make build` first.")
    return Package(folders[0], handler)


def events(component: str) -> dict[str, dict[str, Any]]:
    """Return a component's sample events by file name without the extension."""
    directory = ROOT / "events" / component
    return {path.stem: json.loads(path.read_text()) for path in directory.iterdir()}
