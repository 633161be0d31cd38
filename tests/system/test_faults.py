"""Failures of the local commands: one error message, exit code 1, no process left running."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aws_emulator.processes import find_owner
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

# The commands build too: they run in the process of the tests that read the build, one by one.
pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("sam_build")]

#: Includes the build, which waits for the deployments of other processes, and the deployment.
STARTED_WITHIN_S = 600
ENDED_WITHIN_S = 120


def start_command(state: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(ROOT / ".venv/bin/python"), "-m", "tools.dev", *arguments],
        cwd=ROOT,
        env={**os.environ, "MERIDIAN_STATE": str(state), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_make(state: Path, command: str) -> "subprocess.Popen[str]":
    """Run `make` with a system on free ports, as a background command of a shell."""
    inherited = {name: it for name, it in os.environ.items() if "MAKE" not in name}
    ports = {"PORT": "0", "EMULATOR_PORT": "0"}
    return subprocess.Popen(
        ["sh", "-c", f"{command} & wait"],
        cwd=ROOT,
        env={**inherited, **ports, "MERIDIAN_STATE": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def owner(state: Path) -> int:
    """Return the process of `make up`, which started the others."""
    process_id = find_owner(state / "up")
    assert process_id is not None
    return process_id


def pids(state: Path, run: str) -> dict[str, int]:
    try:
        record = json.loads((state / run / "pids.json").read_text())
    except (OSError, ValueError):
        return {}
    return {entry["name"]: entry["pid"] for entry in record["services"]}


def wait_for_process(
    state: Path, run: str, part: str, process: "subprocess.Popen[str]"
) -> dict[str, int]:
    """Wait until the command has started a process; return the ids of all of them."""

    def alive() -> None:
        assert process.poll() is None, process.communicate()

    wait_until(lambda: part in pids(state, run), part, STARTED_WITHIN_S, check=alive)
    return pids(state, run)


def process_trees(started: dict[str, int]) -> list[psutil.Process]:
    roots = [psutil.Process(pid) for pid in started.values() if psutil.pid_exists(pid)]
    return [*roots, *(child for root in roots for child in root.children(recursive=True))]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    start_command(folder, "down").communicate()


@pytest.mark.parametrize("part", ["ministack", "cloudfront"])
def test_run_fails_when_a_process_is_killed(part: str, state: Path) -> None:
    """MiniStack dies during the deployment, CloudFront after it."""
    run = start_command(state, "run")
    started = wait_for_process(state, "run", part, run)
    processes = process_trees(started)
    os.kill(started[part], signal.SIGKILL)
    _, errors = run.communicate(timeout=ENDED_WITHIN_S)
    assert run.returncode == 1
    (message,) = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert part in message
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive, [process.cmdline() for process in alive]


def catalogue_processes(state: Path) -> list[psutil.Process]:
    """Return the processes of the course catalogue, which the emulator's don't include."""
    folder = str(state / "up" / "catalogue")
    roots = [
        it
        for it in psutil.process_iter(["cmdline"])
        if any(folder in word for word in it.info["cmdline"] or [])
    ]
    return [*roots, *(child for root in roots for child in root.children(recursive=True))]


def test_killed_command_leaves_no_process_running(state: Path) -> None:
    up = start_make(state, "make up")
    started = wait_for_process(state, "up", "cloudfront", up)
    processes = process_trees(started) + catalogue_processes(state)
    os.kill(owner(state), signal.SIGKILL)
    up.communicate()
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive, [process.cmdline() for process in alive]


def test_dev_in_the_background_stops_after_sigint(state: Path) -> None:
    """A shell without job control starts background commands with SIGINT ignored."""
    shell = start_make(state, "make dev")
    started = wait_for_process(state, "up", "ministack", shell)
    processes = process_trees(started)
    os.kill(owner(state), signal.SIGINT)
    _, errors = shell.communicate(timeout=ENDED_WITHIN_S)
    assert "Interrupted." in errors
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not alive, [process.cmdline() for process in alive]


@pytest.mark.parametrize("variable", ["PORT", "EMULATOR_PORT"])
def test_run_fails_when_a_port_is_in_use(variable: str, state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run = start_command(state, "run", **{variable: port})
        _, errors = run.communicate(timeout=ENDED_WITHIN_S)
    assert run.returncode == 1
    assert f"Port {port}" in errors
    assert f"{variable}=" in errors


def test_run_fails_when_an_option_is_not_a_number(state: Path) -> None:
    run = start_command(state, "run", CLIENTS="many")
    _, errors = run.communicate(timeout=ENDED_WITHIN_S)
    assert run.returncode == 1
    assert errors.strip() == "error: CLIENTS must be a number from 1 to 64, not 'many'."
