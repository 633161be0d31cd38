"""`make run` and `make up` build only after a change."""

import os
from pathlib import Path

import pytest

from tools.dev import sam_deployment
from tools.paths import ROOT
from tools.stack import StackTarget

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sam_build")]

BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"


def build(log: Path) -> int:
    """Build, and return the time of the built template in nanoseconds."""
    # A build calls no AWS API, so any address serves as the endpoint.
    sam_deployment.build(StackTarget("http://127.0.0.1:9"), log)
    return BUILT.stat().st_mtime_ns


def test_build_without_change_is_skipped_and_other_output_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = build(tmp_path / "log")
    capsys.readouterr()
    assert build(tmp_path / "log") == first
    assert "no change" in capsys.readouterr().out
    content = BUILT.read_bytes()
    os.utime(BUILT)
    assert build(tmp_path / "log") != first
    assert BUILT.read_bytes() == content
