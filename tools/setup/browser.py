"""Find Chromium for the browser tests, or install Debian's package."""

import os
import shutil
import subprocess
from typing import Final

from tools.progress import step

EXECUTABLES: Final = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of Chromium or Chrome, or None."""
    return next((path for name in EXECUTABLES if (path := shutil.which(name))), None)


def install_chromium() -> None:
    """Install Debian's chromium if this user may; print a warning if that fails."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not prefix or shutil.which("sudo")):
        with step("installing chromium"):
            for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
                subprocess.run(
                    [*prefix, "apt-get", "-qq", *command],
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                    check=False,
                )
    if find_chromium() is None:
        print("WARNING: Can't install Chromium. The browser tests will be skipped.")


if __name__ == "__main__":
    if find_chromium() is None:
        install_chromium()
