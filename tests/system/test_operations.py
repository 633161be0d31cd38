"""The operator's commands without a running system."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("command", ["redrive", "reconcile", "verify", "compact"])
def test_operator_command_fails_without_a_running_system(command: str, tmp_path: Path) -> None:
    environment = {name: it for name, it in os.environ.items() if name not in {"STAGE", "REGION"}}
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-m", "tools.operations", command],
        cwd=ROOT,
        env={**environment, "MERIDIAN_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("error: No system is running. Start `make up`")
