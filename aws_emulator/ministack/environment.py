"""A clean process environment and a temporary directory for MiniStack."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from aws_emulator.ministack.errors import StateBusyError
from aws_emulator.ministack.settings import HOST, Settings


def lock(state: Path) -> IO[str]:
    """Lock the state directory for this process until the returned file is closed.

    Raises:
        StateBusyError: Another emulator has locked it.
    """
    state.mkdir(parents=True, exist_ok=True)
    file = (state / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StateBusyError(
            f"another emulator uses {state}: stop it, or choose another --state directory"
        ) from None
    return file


def prepare(settings: Settings) -> None:
    """Create this run's temporary directory and remove those of earlier runs.

    The caller must hold the lock.
    """
    shutil.rmtree(settings.temporary.parent, ignore_errors=True)
    settings.temporary.mkdir(parents=True)


def variables(settings: Settings) -> dict[str, str]:
    """Return the emulator's complete environment. Only PATH is inherited.

    MiniStack reads these variables at import. IOT_MTLS_ENABLED and SFTP_ENABLED are off because
    those listeners bind to 0.0.0.0 regardless of BIND_HOST.
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
        # Cognito issues no tokens if the pre token generation trigger fails.
        "MINISTACK_COGNITO_PRETOKEN_STRICT": "1",
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
    """Replace this process's environment. Call it before MiniStack is imported."""
    clean = variables(settings)
    os.environ.clear()
    os.environ.update(clean)
    tempfile.tempdir = None
