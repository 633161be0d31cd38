"""What goes wrong ends in one sentence and a non-zero exit, and leaves nothing running."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.paths import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

#: Seconds until the last part of a system runs, build and deployment included.
STARTED_WITHIN_S = 180
ENDED_WITHIN_S = 40


def python_m_local(state: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(ROOT / ".venv/bin/python"), "-m", "tools.dev", *arguments],
        cwd=ROOT,
        env={**os.environ, "MERIDIAN_STATE": str(state), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pids(state: Path, run: str) -> dict[str, int]:
    try:
        known = json.loads((state / run / "pids.json").read_text())
    except (OSError, ValueError):
        return {}
    return {entry["name"]: entry["pid"] for entry in known["services"]}


def wait_for(state: Path, run: str, part: str, process: "subprocess.Popen[str]") -> dict[str, int]:
    """Wait until a part has been started, for as long as the command itself runs."""

    def alive() -> None:
        assert process.poll() is None, process.communicate()

    wait_until(lambda: part in pids(state, run), part, STARTED_WITHIN_S, check=alive)
    return pids(state, run)


def families(started: dict[str, int]) -> list[psutil.Process]:
    roots = [psutil.Process(pid) for pid in started.values() if psutil.pid_exists(pid)]
    return [*roots, *(child for root in roots for child in root.children(recursive=True))]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    python_m_local(folder, "down").communicate()


@pytest.mark.parametrize("part", ["ministack", "cloudfront"])
def test_a_part_that_is_killed_ends_the_run(part: str, state: Path) -> None:
    run = python_m_local(state, "run")
    started = wait_for(state, "run", "cloudfront", run)
    family = families(started)
    os.kill(started[part], signal.SIGKILL)
    _, errors = run.communicate(timeout=ENDED_WITHIN_S)
    assert run.returncode == 1
    (sentence,) = [line for line in errors.splitlines() if line.startswith("meridian: ")]
    assert part in sentence
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, [process.cmdline() for process in alive]


def test_a_run_that_is_killed_itself_leaves_nothing_behind(state: Path) -> None:
    up = python_m_local(state, "up", PORT="0", EMULATOR_PORT="0")
    started = wait_for(state, "up", "cloudfront", up)
    family = families(started)
    up.kill()
    up.communicate()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, [process.cmdline() for process in alive]


def test_an_up_in_the_background_hears_ctrl_c(state: Path) -> None:
    """A shell without job control starts it deaf to the signal: `make up &`, then `kill -INT`."""
    command = f"PORT=0 EMULATOR_PORT=0 {ROOT / '.venv/bin/python'} -m tools.dev up & echo $!; wait"
    shell = subprocess.Popen(
        ["sh", "-c", command],
        cwd=ROOT,
        env={**os.environ, "MERIDIAN_STATE": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    up = int(shell.stdout.readline())
    started = wait_for(state, "up", "ministack", shell)
    family = families(started)
    os.kill(up, signal.SIGINT)
    _, errors = shell.communicate(timeout=ENDED_WITHIN_S)
    assert "meridian: stopped; nothing is left running." in errors
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, [process.cmdline() for process in alive]


@pytest.mark.parametrize("variable", ["PORT", "EMULATOR_PORT"])
def test_a_busy_port_is_one_sentence(variable: str, state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run = python_m_local(state, "run", **{variable: port})
        _, errors = run.communicate(timeout=ENDED_WITHIN_S)
    assert run.returncode == 1
    assert f"Port {port}" in errors
    assert f"{variable}=" in errors


def test_a_wish_that_is_no_number_is_one_sentence(state: Path) -> None:
    run = python_m_local(state, "run", CLIENTS="many")
    _, errors = run.communicate(timeout=ENDED_WITHIN_S)
    assert run.returncode == 1
    assert errors.strip() == "meridian: CLIENTS must be a number from 1 to 64, not 'many'."
