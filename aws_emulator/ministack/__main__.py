"""Start MiniStack with patches.

python -m aws_emulator.ministack --port PORT --state DIR --lambda-python PATH
"""

import dataclasses
import importlib.metadata
import os
import subprocess
import sys

from aws_emulator.ministack import environment, lifetime, server, settings
from aws_emulator.ministack.errors import EmulatorError, RuntimeMissingError, VersionError

#: The only version that the shims were written for and tested against.
MINISTACK_VERSION = "1.5.33"


def _check_version() -> None:
    try:
        found = importlib.metadata.version("ministack")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != MINISTACK_VERSION:
        raise VersionError(
            f"the emulator needs ministack {MINISTACK_VERSION}, but {sys.executable} has {found}"
        )


def _check_runtime(python: os.PathLike[str]) -> None:
    try:
        subprocess.run(
            [python, "-c", "import awslambdaric"], check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RuntimeMissingError(f"{python} cannot import awslambdaric: {error}") from error


def _run(given: settings.Settings) -> int:
    _check_version()
    if "function_runtime" not in given.without:
        _check_runtime(given.lambda_python)
    lock = environment.lock(given.state)
    listener = server.listen(given.port)
    given = dataclasses.replace(given, port=listener.getsockname()[1])
    environment.prepare(given)
    lifetime.guard(given.temporary, close=(lock.fileno(), listener.fileno()))
    lifetime.follow_parent()
    environment.enter(given)

    # Only now: MiniStack reads its settings from the environment while it is imported.
    from aws_emulator.ministack import application

    served = server.serve(application.build(given), listener)
    application.stop()
    return 0 if served else 1


def main() -> int:
    """Run until told to stop; 0 after a clean stop, 1 with one sentence when it cannot start."""
    try:
        code = _run(settings.parse())
    except EmulatorError as error:
        print(f"emulator: {error}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of MiniStack may wait for things that never come: an exit must not wait for them.
    os._exit(code)


if __name__ == "__main__":
    main()
