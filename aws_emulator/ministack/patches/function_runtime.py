"""Run Python functions under AWS's runtime interface client, with only their package importable.

Gap: MiniStack runs a function with its own interpreter, environment and packages. It loses an
exception's type, so a state machine can't match it, and the log of a failed start. Each invocation
without output waits 50 ms for output. Memory has no limit, and every worker unpacks the package
again and starts an interpreter.
Seen in: ministack 1.5.33, core/lambda_runtime.py (Worker) and lambda_svc.py.
Delete when: MiniStack runs Python functions with a given interpreter under awslambdaric.

MiniStack's worker for custom runtimes already serves the Lambda Runtime API. This patch gives it a
bootstrap that starts the client, and an environment like that of AWS's image. The process is a fork
of one that has imported AWS's packages (`fork_server.py`), or else the bootstrap.
"""

import fcntl
import os
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.forked_process import ForkedProcess, ForkServer
from aws_emulator.ministack.packages import Packages
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Lambda allows 10 s for the Init phase. On a busy machine, ten processes that start at once take
#: longer, and MiniStack then ends the function's other starting processes as well.
_MIN_INIT_TIMEOUT_S: Final = 30.0
#: How long an invocation waits for a function that keeps writing output.
_MAX_OUTPUT_WAIT_S: Final = 0.25
#: Between a line's arrival in the pipe and in the queue.
_OUTPUT_SETTLE_S: Final = 0.001

_digest: ContextVar[str | None] = ContextVar("code_sha256", default=None)
#: The output of a process that could not start, for the log of the invocation.
_failed_start: ContextVar[str] = ContextVar("failed_start", default="")


def install(settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Run every Python function in a worker with awslambdaric."""
    runtime = Symbols(
        "ministack.core.lambda_runtime",
        "ProvidedWorker",
        "ProvidedRuntimeError",
        "_worker_class_for",
        "subprocess",
    )
    service = Symbols(
        "ministack.services.lambda_svc",
        "_PROVIDED_CODE_CACHE",
        "_execute_function_warm",
        "_execute_function_provided_warm",
        "_provided_runtime_code_dir",
        "_provided_worker_env",
        "_runtime_env_vars",
    )
    packages = Packages(settings.temporary / "packages", settings.lambda_python)
    worker = _worker_class(runtime)

    def worker_class_for(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda config: worker if _is_python(config) else original(config)

    def execute_warm(original: Callable[..., Any]) -> Callable[..., Any]:
        def execute(func: dict[str, Any], event: Any, request_id: str) -> Any:
            if _is_python(func.get("config") or func):
                token = _failed_start.set("")
                result = service["_execute_function_provided_warm"](func, event, request_id)
                result["log"] = result.get("log") or _failed_start.get()
                _failed_start.reset(token)
                return result
            return original(func, event, request_id)

        return execute

    def code_directory(original: Callable[..., str]) -> Callable[..., str]:
        def directory(code_zip: bytes) -> str:
            digest = _digest.get()
            return str(packages.directory(digest, code_zip)) if digest else original(code_zip)

        return directory

    runtime.wrap("_worker_class_for", worker_class_for)
    if sys.platform == "linux":  # system libraries of macOS don't work in forks
        forks = ForkServer(settings.lambda_python, _interpreter_environment())
        runtime["subprocess"] = _with_forks(forks)
    service.wrap("_execute_function_warm", execute_warm)
    service.wrap("_provided_runtime_code_dir", code_directory)
    service.wrap("_provided_worker_env", lambda original: _environment(settings, service, original))


def _with_forks(forks: ForkServer) -> SimpleNamespace:
    """Return the module `subprocess` with a Popen that starts Python functions as forks."""

    def start(
        command: list[str], *, cwd: str, env: Mapping[str, str], **options: Any
    ) -> ForkedProcess | subprocess.Popen[bytes]:
        if _digest.get() is not None:
            task = Path(env["LAMBDA_TASK_ROOT"])
            data_bytes = int(env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024**2
            process = forks.start(task, env["_HANDLER"], env, data_bytes)
            if process is not None:
                return process
        return subprocess.Popen(command, cwd=cwd, env=env, **options)

    return SimpleNamespace(**{**vars(subprocess), "Popen": start})


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _worker_class(runtime: Symbols) -> Any:
    error = runtime["ProvidedRuntimeError"]
    base: Any = runtime["ProvidedWorker"]

    class ClientWorker(base):  # type: ignore[misc]  # MiniStack has no types
        """A worker whose process is awslambdaric."""

        def _spawn(self, init_timeout: float | None = None) -> None:
            if self.config.get("Layers"):
                raise error("the emulator does not support layers", "Runtime.InvalidEntrypoint")
            token = _digest.set(self.config["CodeSha256"])
            try:
                super()._spawn(init_timeout)
            finally:
                _digest.reset(token)

        def _await_init(self, init_timeout: float | None = None) -> None:
            try:
                super()._await_init(max(init_timeout or 0.0, _MIN_INIT_TIMEOUT_S))
            except RuntimeError as caught:
                log = self._drain_stderr_bounded()
                _failed_start.set(log)
                # The client reports an import error with its type, then exits.
                if isinstance(reported := self._init_error, dict):
                    failure = error(reported["errorMessage"], reported["errorType"])
                    failure.log = log
                    raise failure from None
                caught.log = log  # type: ignore[attr-defined]  # for Workers.start
                raise

        def _build_handler_class(self, generation: int, pending: Any) -> Any:
            handler = super()._build_handler_class(generation, pending)
            # The response is two writes: with Nagle's algorithm the second waits up to 40 ms for
            # the delayed acknowledgement of the first.
            handler.disable_nagle_algorithm = True
            return handler

        def _drain_stderr_bounded(self, *_: float, **__: float) -> str:
            """Return the function's output, which is in the pipe before the result is sent."""
            deadline = time.monotonic() + _MAX_OUTPUT_WAIT_S
            while self._unread() and time.monotonic() < deadline:
                time.sleep(_OUTPUT_SETTLE_S)
            time.sleep(_OUTPUT_SETTLE_S)
            return str(self._drain_stderr())

        def _unread(self) -> int:
            try:
                answer = fcntl.ioctl(self._proc.stdout, termios.FIONREAD, b"\0" * 4)
            except (AttributeError, OSError, ValueError):
                return 0  # the process has ended and its pipe is closed
            return int(struct.unpack("i", answer)[0])

    return ClientWorker


def _interpreter_environment() -> dict[str, str]:
    """Return the variables that an interpreter reads at its start, the same for all functions."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "HOME": os.environ["HOME"],
        "TMPDIR": os.environ["TMPDIR"],
        "PYTHONNOUSERSITE": "1",
    }


def _environment(
    settings: Settings, service: Symbols, original: Callable[..., dict[str, str]]
) -> Callable[..., dict[str, str]]:
    """Wrap MiniStack's function that builds a function's environment.

    The result has AWS's defined runtime environment variables (Lambda developer guide, "Using
    Lambda environment variables"), the function's own, and the emulator's address. TMPDIR, HOME and
    PATH replace /tmp and those of the image.
    """

    def environment(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        inherited = original(config, code_dir, port)
        if not _is_python(config):
            return inherited
        logging = config.get("LoggingConfig") or {}
        task = f"{code_dir}/task"
        passed_on = {name: inherited[name] for name in _FROM_MINISTACK if name in inherited}
        return {
            **_interpreter_environment(),
            "PYTHONPATH": task,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text"),
            "AWS_LAMBDA_LOG_GROUP_NAME": logging.get("LogGroup")
            or f"/aws/lambda/{config['FunctionName']}",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            "AWS_ENDPOINT_URL": settings.endpoint,
            **service["_runtime_env_vars"](config),
            **passed_on,
            "LAMBDA_TASK_ROOT": task,
        }

    return environment


_FROM_MINISTACK: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "_HANDLER",
)
