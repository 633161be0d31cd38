"""Processes of functions that are forks of one process."""

import base64
import hashlib
import io
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from aws_emulator.ministack.forked_process import ForkedProcess, ForkServer
from aws_emulator.ministack.packages import Packages
from aws_emulator.tests.ministack.running import LAMBDA_PYTHON, ROOT
from aws_emulator.tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("environments")]

MEMORY_MB = 256
#: Prints what a process can see of its start, and ends before it needs the Runtime API.
_DESCRIBE = """
import json, os, resource, signal, sys
from awslambdaric import bootstrap
print(json.dumps({
    "arguments": sys.argv,
    "path": sys.path,
    "flags": str(sys.flags),
    "main": [sys.modules["__main__"].__name__, sys.modules["__main__"].__package__],
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "limits": resource.getrlimit(resource.RLIMIT_DATA),
    "signals": {it.name: str(signal.getsignal(it)) for it in signal.valid_signals()
                if isinstance(it, signal.Signals)},
    "descriptors": sorted(it for it in map(int, os.listdir("/proc/self/fd")) if it < 3),
    "inherited": [it for it in os.listdir("/proc/self/fd")
                  if os.path.exists(f"/proc/self/fd/{it}") and int(it) > 2],
    "encoding": [sys.stdout.encoding, sys.getfilesystemencoding()],
    "time_zone": __import__("time").tzname,
    "log_format": str(bootstrap._AWS_LAMBDA_LOG_FORMAT),
}), flush=True)
os._exit(7)
"""
#: A shell sets them for its children.
_OF_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}


@pytest.fixture(scope="module")
def forks() -> Iterator[ForkServer]:
    with closing(ForkServer(LAMBDA_PYTHON, _interpreter())) as server:
        yield server


def _interpreter() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC", "PYTHONNOUSERSITE": "1"}


def _environment(folder: Path) -> dict[str, str]:
    return {
        **_interpreter(),
        "PYTHONPATH": str(folder),
        "LAMBDA_TASK_ROOT": str(folder),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
        "_HANDLER": "function.handler",
    }


def _package(tmp_path: Path, code: str) -> Path:
    """Unpack a package with the module `function`; return the folder with the bootstrap."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # With a fixed time: the same code is the same package.
        archive.writestr(zipfile.ZipInfo("function.py"), code)
    digest = base64.b64encode(hashlib.sha256(buffer.getvalue()).digest()).decode()
    return Packages(tmp_path, LAMBDA_PYTHON).directory(digest, buffer.getvalue())


def _start(forks: ForkServer, tmp_path: Path, code: str) -> ForkedProcess:
    folder = _package(tmp_path, code) / "task"
    process = forks.start(folder, "function.handler", _environment(folder), MEMORY_MB * 1024 * 1024)
    assert process is not None
    return process


@pytest.fixture
def sleeping(forks: ForkServer, tmp_path: Path) -> Iterator[ForkedProcess]:
    process = _start(forks, tmp_path, "import time\nprint('started', flush=True)\ntime.sleep(600)")
    assert process.stdout.readline() == b"started\n"
    with process.stdout:
        yield process
        process.kill()
        process.wait()


def test_forked_function_starts_like_one_in_a_new_interpreter(
    forks: ForkServer, tmp_path: Path
) -> None:
    folder = _package(tmp_path, _DESCRIBE)
    new = subprocess.run(
        [folder / "bootstrap"],
        env=_environment(folder / "task"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    forked = _start(forks, tmp_path, _DESCRIBE)
    with forked.stdout as output:
        expected, seen = json.loads(new.stdout), json.loads(output.read())
    assert forked.wait(30) == new.returncode == 7
    for name in _OF_THE_SHELL - set(seen["environment"]):
        expected["environment"].pop(name, None)
    assert seen == expected


@pytest.mark.parametrize("module", ["boto3", "six.py", "json.py", "urllib3"])
def test_package_with_module_of_the_runtime_is_not_forked(
    forks: ForkServer, tmp_path: Path, module: str
) -> None:
    (tmp_path / module).mkdir()
    assert forks.start(tmp_path, "function.handler", _environment(tmp_path), 2**28) is None


def test_function_with_setting_of_the_interpreter_is_not_forked(
    forks: ForkServer, tmp_path: Path
) -> None:
    environment = {**_environment(tmp_path), "PYTHONHASHSEED": "0"}
    assert forks.start(tmp_path, "function.handler", environment, 2**28) is None


def test_running_process_has_no_exit_status(sleeping: ForkedProcess) -> None:
    assert sleeping.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        sleeping.wait(0)


@pytest.mark.parametrize(
    ("act", "number"),
    [(ForkedProcess.terminate, signal.SIGTERM), (ForkedProcess.kill, signal.SIGKILL)],
)
def test_signal_ends_process_with_its_number(
    sleeping: ForkedProcess, act: Callable[[ForkedProcess], None], number: int
) -> None:
    act(sleeping)
    assert sleeping.wait(30) == -number
    assert sleeping.poll() == -number
    act(sleeping)  # has no effect


def test_process_ends_when_server_loses_the_emulator(tmp_path: Path) -> None:
    """MiniStack closes its sockets when it ends, also by SIGKILL."""
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from aws_emulator.ministack.forked_process import ForkServer\n"
        f"forks = ForkServer(Path({str(LAMBDA_PYTHON)!r}), {_interpreter()!r})\n"
        "folder = Path(sys.argv[1])\n"
        f"it = forks.start(folder, 'function.handler', {_environment(tmp_path)!r}, 2**28)\n"
        "it.stdout.readline()\n"
        "print(it.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    folder = _package(tmp_path, "import time\nprint(1, flush=True)\ntime.sleep(600)") / "task"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as emulator:
        assert emulator.stdout
        process = psutil.Process(int(emulator.stdout.readline()))
        below = [process, *psutil.Process(emulator.pid).children(recursive=True)]
        emulator.kill()
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []


def test_server_that_was_killed_starts_again(tmp_path: Path) -> None:
    with closing(ForkServer(LAMBDA_PYTHON, _interpreter())) as forks:
        before = set(psutil.Process().children())
        assert _exit_status(forks, tmp_path / "1", 1) == 1
        (server,) = set(psutil.Process().children()) - before
        server.kill()
        wait_until(lambda: server.status() == psutil.STATUS_ZOMBIE, "the end of the server")
        assert _exit_status(forks, tmp_path / "2", 2) == 2


def _exit_status(forks: ForkServer, tmp_path: Path, status: int) -> int:
    process = _start(forks, tmp_path, f"import os\nos._exit({status})")
    process.stdout.close()
    return process.wait(30)
