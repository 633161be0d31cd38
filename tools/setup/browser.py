"""See that there is a Chromium for the browser's tests: find one, or install Debian's."""

import os
import shutil
import subprocess

from tools.progress import step

NAMES = ("chromium", "chromium-browser", "google-chrome")


def found() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Install Debian's chromium where this user may; otherwise say what will not be tested."""
    may = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not may or shutil.which("sudo")):
        with step("installing chromium"):
            for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
                subprocess.run(
                    [*may, "apt-get", "-qq", *command],
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                    check=False,
                )
    if found() is None:
        print("NO CHROMIUM HERE, AND NONE CAN BE INSTALLED: THE BROWSER'S TESTS WILL NOT RUN")


if __name__ == "__main__":
    if found() is None:
        install()
