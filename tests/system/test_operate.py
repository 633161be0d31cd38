"""Tests of the operator's commands without a running system."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("command", ["redrive", "reconcile", "verify", "compact"])
def test_operate_without_running_system_prints_one_line(command: str, tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"STAGE", "REGION"}
    }
    result = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-m", "tools.operate", command],
        cwd=ROOT,
        env={**environment, "MERIDIAN_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("meridian: Nothing is up here: start `make up`")
