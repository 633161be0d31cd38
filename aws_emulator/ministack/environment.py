"""A clean process environment and a private temporary directory for the emulator."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from aws_emulator.ministack.errors import StateBusyError
from aws_emulator.ministack.settings import HOST, Settings


def lock(state: Path) -> IO[str]:
    """Take the state directory for this process; the lock goes with the returned file.

    Raises StateBusyError when another emulator has it.
    """
    state.mkdir(parents=True, exist_ok=True)
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StateBusyError(f"another emulator is using the directory {state}") from None
    return file


def prepare(settings: Settings) -> None:
    """Make this run's temporary directory and remove those that earlier runs left behind.

    Only the holder of the lock may call it.
    """
    shutil.rmtree(settings.temporary.parent, ignore_errors=True)
    settings.temporary.mkdir(parents=True)


def variables(settings: Settings) -> dict[str, str]:
    """The whole environment of the emulator: nothing of the caller's but its PATH.

    MiniStack reads these names at import. IOT_MTLS_ENABLED and SFTP_ENABLED are off because those
    listeners bind to 0.0.0.0 whatever BIND_HOST says.
    """
    tmp = settings.temporary
    home = tmp / "home"
    home.mkdir()
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": str(tmp),
        "AUTH": "true",
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(settings.port),
        "MINISTACK_ACCOUNT_ID": settings.account,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(tmp / "state"),
        "S3_DATA_DIR": str(tmp / "s3"),
        "LOG_LEVEL": "WARNING",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def enter(settings: Settings) -> None:
    """Replace this process's environment. To be called before MiniStack is imported."""
    clean = variables(settings)
    os.environ.clear()
    os.environ.update(clean)
    tempfile.tempdir = None
