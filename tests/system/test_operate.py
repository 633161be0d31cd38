"""An operator's command without a system is one sentence."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("command", ["redrive", "reconcile", "verify", "compact"])
def test_nothing_up_is_one_sentence(command: str, tmp_path: Path) -> None:
    kept = {name: it for name, it in os.environ.items() if name not in {"STAGE", "REGION"}}
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-m", "tools.operate", command],
        cwd=ROOT,
        env={**kept, "MERIDIAN_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("meridian: Nothing is up here: start `make up`")
