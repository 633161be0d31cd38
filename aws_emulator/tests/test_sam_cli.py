"""SAM commands: output, time limit, error messages."""

import sys
from pathlib import Path

import pytest

from aws_emulator import sam_cli
from aws_emulator.errors import CommandError
from aws_emulator.sam_cli import SamProject


def run(code: str, log: Path, timeout_s: float) -> list[str]:
    lines: list[str] = []
    sam_cli.run(
        "`sam build`", [sys.executable, "-c", code], log.parent, {}, log, timeout_s, lines.append
    )
    return lines


def test_run_fails_when_command_exceeds_time_limit(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"did not end within 0\.5 s"):
        run("import time; print('begun', flush=True); time.sleep(60)", tmp_path / "log", 0.5)


def test_run_reports_error_line_of_failed_command(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Error: no such bucket"):
        run("print('Error: no such bucket'); raise SystemExit(1)", tmp_path / "log", 30)


def test_run_passes_on_and_logs_output(tmp_path: Path) -> None:
    assert run("print('done')", tmp_path / "log", 30) == ["done"]
    assert (tmp_path / "log").read_text() == "done\n"


def test_run_reports_missing_command(tmp_path: Path) -> None:
    command = ["no-such-sam", "build"]
    with pytest.raises(CommandError, match="Can't run `sam build`"):
        sam_cli.run("`sam build`", command, tmp_path, {"PATH": ""}, tmp_path / "log", 30)


def test_project_ignores_samconfig_without_config_env(tmp_path: Path) -> None:
    option, path = SamProject(tmp_path).config_arguments(tmp_path / "sam.log")
    assert option == "--config-file"
    assert Path(path).read_text() == "version = 0.1\n"
    assert SamProject(tmp_path, "dev").config_arguments(tmp_path / "sam.log") == [
        "--config-env",
        "dev",
    ]
