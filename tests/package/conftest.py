"""What `sam build` made, as Lambda would see it."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

BUILT = ROOT / ".aws-sam" / "build"
#: What AWS's python3.13 image holds, and nothing of ours.
RUNTIME_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"

#: Runs in the bare interpreter: import the handler, give it each event, print each answer.
_REPLAY = """
import importlib, json, sys
module, name = sys.argv[1].rsplit(".", 1)

class Context:
    function_name = "replayed"
    function_version = "1"
    memory_limit_in_mb = 128
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:replayed:1"
    log_group_name = log_stream_name = "replayed"
    def get_remaining_time_in_millis(self):
        return 2_000

handler = getattr(importlib.import_module(module), name)
answers = []
for event in json.load(sys.stdin):
    try:
        answers.append({"answer": handler(event, Context())})
    except Exception as error:
        answers.append({"error": type(error).__name__})
sys.__stdout__.write("\\n" + json.dumps(answers) + "\\n")
"""


@dataclass(frozen=True)
class Package:
    """One function's package, and how its handler is named."""

    path: Path
    handler: str

    def replay(
        self,
        events: list[dict[str, Any]],
        settings: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        scratch: Path | None = None,
    ) -> list[dict[str, Any]]:
        """Give the handler events in a bare interpreter; return {"answer": …} or {"error": …}.

        The interpreter is isolated (-I): no site of ours, no environment, no current directory.
        """
        place = self.path
        if settings is not None:
            assert scratch is not None
            place = scratch / "package"
            shutil.copytree(self.path, place)
            (place / "settings.json").write_text(json.dumps(settings))
        program = f"import sys; sys.path.insert(0, {str(place)!r})\n{_REPLAY}"
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
        answers = json.loads(done.stdout.rstrip().rpartition("\n")[2])
        assert isinstance(answers, list)
        return answers


def package(function: str, handler: str) -> Package:
    """Return a built package. Without a build there is nothing to test: that is a failure."""
    found = [path for path in BUILT.glob(f"**/{function}") if path.is_dir()]
    if not found:
        pytest.fail(f"{function} was not built: run `make build` first.")
    return Package(found[0], handler)


def events(room: str) -> dict[str, dict[str, Any]]:
    """Return the events of a room by the name of their case."""
    return {path.stem: json.loads(path.read_text()) for path in (ROOT / "events" / room).iterdir()}
