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
        found = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != MINISTACK_VERSION:
        raise VersionError(
            f"ministack {MINISTACK_VERSION} is required, but {sys.executable} has {found}"
        )


def _check_runtime(python: os.PathLike[str]) -> None:
    try:
        subprocess.run(
            [python, "-c", "import awslambdaric"], check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeMissingError(f"{python} can't import awslambdaric: {error}") from error


def _run(given: settings.Settings) -> int:
    _check_version()
    if "function_runtime" not in given.without:
        _check_runtime(given.lambda_python)
    lock = environment.lock(given.state)
    listener = server.listen(given.port)
    given = dataclasses.replace(given, port=listener.getsockname()[1])
    environment.prepare(given)
    lifetime.guard(given.temporary, close=(lock.fileno(), listener.fileno()))
    lifetime.exit_with_parent()
    environment.enter(given)

    # Imported here: MiniStack reads its settings from the environment during its import.
    from aws_emulator.ministack import application

    served = server.serve(application.build(given), listener)
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
