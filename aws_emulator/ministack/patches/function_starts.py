"""Start a function without an invocation: POST /_local/function-start?function=NAME&region=REGION.

Gap: A function that can't start, because of an import error for example, is noticed only at its
first invocation.
Seen in: ministack 1.5.33, lambda_svc.py; AWS has no such operation either.
Delete when: never; this is a control for development, not a repair.

The response's `error` is null, or an object with `type`, `message` and `log`. The process serves
the next invocation; `keep=0` stops it instead.
"""

import functools
import subprocess
from pathlib import Path
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.workers import StartFailure, Workers

PATH: Final = "/_local/function-start"


def install(settings: Settings, control: ControlApi, _application: Any) -> None:
    """Add the control, which checks the runtime and then starts a process if there is none."""
    workers = Workers()
    version = functools.cache(lambda: _python_version(settings.lambda_python))

    def start(query: Query, _document: Any) -> dict[str, Any]:
        record = workers.find(settings.account, query)
        config = record["config"]
        runtime = str(config.get("Runtime", ""))
        if runtime.startswith("python") and runtime != version():
            message = f"The runtime is {runtime}, but the emulator runs functions under {version()}"
            return {"error": StartFailure("Runtime.InvalidRuntime", message).as_json()}
        if workers.has_any(config):
            return {"error": None}
        worker = workers.start(config, record["code_zip"])
        if isinstance(worker, StartFailure):
            return {"error": worker.as_json()}
        if query.get("keep") == "0":
            workers.discard([worker])
        else:
            workers.add(config, worker)
        return {"error": None}

    control.add_threaded("POST", PATH, start)


def _python_version(python: Path) -> str:
    code = "import sys; print('python%d.%d' % sys.version_info[:2])"
    completed = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return completed.stdout.strip()
