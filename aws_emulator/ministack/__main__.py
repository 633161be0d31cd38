"""Start MiniStack with all patches.

python -m aws_emulator.ministack --port PORT --state DIR --lambda-python PATH
"""

import dataclasses
import importlib.metadata
import os
import subprocess
import sys
from typing import Final

from aws_emulator.ministack import environment, lifetime, server, settings
from aws_emulator.ministack.errors import EmulatorError, RuntimeMissingError, VersionError

#: The only version that the patches are written for and tested with.
MINISTACK_VERSION: Final = "1.5.33"


def _check_version() -> None:
    try:
        version = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    if version != MINISTACK_VERSION:
        raise VersionError(
            f"ministack {MINISTACK_VERSION} is required, but {sys.executable} has {version}"
        )


def _check_runtime(python: os.PathLike[str]) -> None:
    try:
        subprocess.run(
            [python, "-c", "import awslambdaric"], check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeMissingError(f"{python} can't import awslambdaric: {error}") from error


def _run(settings: settings.Settings) -> int:
    _check_version()
    if "function_runtime" not in settings.without:
        _check_runtime(settings.lambda_python)
    lock = environment.lock(settings.state)
    listener = server.listen(settings.port)
    settings = dataclasses.replace(settings, port=listener.getsockname()[1])
    environment.prepare(settings)
    lifetime.guard(settings.temporary, close=(lock.fileno(), listener.fileno()))
    lifetime.exit_with_parent()
    environment.enter(settings)

    # Imported here: MiniStack reads its settings from the environment during its import.
    from aws_emulator.ministack import application

    served = server.serve(application.build(settings), listener)
    application.stop()
    return 0 if served else 1


def main() -> int:
    """Serve until a signal. Return 0 after a clean stop, 1 with a message if it can't start."""
    try:
        code = _run(settings.parse())
    except EmulatorError as error:
        print(f"ministack: {error}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of MiniStack may block forever: the exit must not wait for them.
    os._exit(code)


if __name__ == "__main__":
    main()
