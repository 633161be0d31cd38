"""`debugging`: a client of the Debug Adapter Protocol stops a function at a line of its source."""

import compileall
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aws_emulator.built_functions import BuiltFunction
from aws_emulator.debugging import Debugger, DebugSession, debug_package, invoke
from aws_emulator.errors import CommandError
from aws_emulator.invoke import Deployment, Result
from aws_emulator.processes import free_port
from aws_emulator.tests.invoke.dap_client import DapClient
from aws_emulator.tests.paths import ROOT

pytestmark = pytest.mark.integration

LAMBDA_PYTHON = ROOT / ".venv-lambda" / "bin" / "python"
DEBUGPY = next((ROOT / ".venv" / "lib").glob("python*/site-packages/debugpy"))
HANDLER = """\
import json
import os

SETTINGS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "settings.json")


def handler(event, context):
    if event["number"] == 0:
        os._exit(3)
    doubled = event["number"] * 2
    print("left", context.get_remaining_time_in_millis() > 3_600_000)
    with open(SETTINGS) as file:
        unit = json.load(file)["unit"]
    return {"doubled": doubled, "unit": unit}
"""
BREAKPOINT_LINE = 11


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a source folder with one package."""
    package = tmp_path / "src" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "orders.py").write_text(HANDLER)
    return tmp_path / "src"


@pytest.fixture
def built(tmp_path: Path, source: Path) -> BuiltFunction:
    """Return a function whose package has bytecode only, and a dependency beside it."""
    package = tmp_path / "built"
    (package / "shop").mkdir(parents=True)
    for name in ("__init__", "orders"):
        (package / "shop" / f"{name}.py").write_text((source / "shop" / f"{name}.py").read_text())
    compileall.compile_dir(package, quiet=1, legacy=True)
    for path in package.rglob("*.py"):
        path.unlink()
    (package / "dependency.py").write_text("VALUE = 1\n")
    return BuiltFunction("Orders", package, "shop.orders.handler", "python3.13", timeout_s=1)


def test_package_has_source_dependencies_and_added_files(
    tmp_path: Path, source: Path, built: BuiltFunction
) -> None:
    package = debug_package(built, source, tmp_path / "debug", {"settings.json": b"{}"})
    assert (package.directory / "shop" / "orders.py").read_text() == HANDLER
    assert (package.directory / "dependency.py").read_text() == "VALUE = 1\n"
    assert (package.directory / "settings.json").read_bytes() == b"{}"
    assert package.timeout_s > 3_600
    again = debug_package(built, source, tmp_path / "debug")
    assert not (again.directory / "settings.json").exists()
    assert not list(source.rglob("settings.json"))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def session(
    tmp_path: Path, source: Path, built: BuiltFunction, port: int
) -> Iterator[DebugSession]:
    function = debug_package(built, source, tmp_path / "debug", {"settings.json": b'{"unit": "m"}'})
    debugger = Debugger(LAMBDA_PYTHON, DEBUGPY, port)
    debug_session = DebugSession(function, Deployment.undeployed(function), debugger, print)
    with debug_session.start(tmp_path / "temporary"):
        yield debug_session


def test_breakpoint_in_source_is_hit_and_invocation_returns(
    tmp_path: Path, source: Path, session: DebugSession, port: int
) -> None:
    results: list[Result] = []

    def call() -> None:
        results.extend(invoke(session, {"number": number}, "arn") for number in (4, 5))

    caller = threading.Thread(target=call)
    caller.start()
    client = DapClient(port, source, tmp_path / "debug")
    path = source / "shop" / "orders.py"
    client.set_breakpoint(path, BREAKPOINT_LINE)
    client.run()
    for number in (4, 5):
        file, line, variables = client.wait_for_stop()
        assert (Path(file), line) == (path, BREAKPOINT_LINE)
        assert variables["doubled"] == str(number * 2)
        client.resume()
    caller.join(60)
    client.close()
    assert [it.response for it in results] == [{"doubled": n * 2, "unit": "m"} for n in (4, 5)]
    assert session.take_lines().count("left True") == 2


def test_invocation_fails_when_debugged_process_has_ended(
    session: DebugSession, port: int, tmp_path: Path
) -> None:
    client = DapClient(port, tmp_path, tmp_path)
    client.run()
    error: dict[str, Any] | None = invoke(session, {"number": 0}, "arn").error
    client.abandon()
    assert error is not None
    assert error["errorType"] == "Runtime.ExitError"


def test_missing_debugger_is_refused(tmp_path: Path, built: BuiltFunction) -> None:
    debugger = Debugger(LAMBDA_PYTHON, tmp_path / "absent")
    session = DebugSession(built, Deployment.undeployed(built), debugger, print)
    with (
        pytest.raises(CommandError, match="absent does not exist"),
        session.start(tmp_path / "temporary"),
    ):
        pytest.fail("the session started")
