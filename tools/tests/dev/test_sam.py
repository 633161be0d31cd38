"""SAM as a program: what it says is kept, and one that hangs ends in a sentence."""

import sys
from pathlib import Path

import pytest

from aws_emulator.errors import CommandError
from tools import sam
from tools.progress import step


def run(code: str, log: Path, timeout_s: float) -> None:
    with step("sam") as progress:
        sam._run([sys.executable, "-c", code], {}, log, progress, timeout_s)


def test_one_that_hangs_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"did not end within 0\.5 s"):
        run("import time; print('begun', flush=True); time.sleep(60)", tmp_path / "log", 0.5)


def test_one_that_fails_says_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Error: no such bucket"):
        run("print('Error: no such bucket'); raise SystemExit(1)", tmp_path / "log", 30)


def test_one_that_ends_well_leaves_its_words(tmp_path: Path) -> None:
    run("print('done')", tmp_path / "log", 30)
    assert (tmp_path / "log").read_text() == "done\n"
