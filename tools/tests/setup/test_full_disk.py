"""A disk that is full during the set-up: one sentence, and the next run succeeds."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.tests.setup import small_checkout
from tools.tests.setup.small_checkout import ENVIRONMENT

pytestmark = pytest.mark.integration

#: Enough for the files of the set-up, and too little for the environment's 11 MB.
SMALL = "6m"
LARGE = "120m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of `SMALL` bytes in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("ONLY ROOT CAN MOUNT A SMALL DISK: THE FULL DISK WAS NOT TESTED")
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"MOUNT IS NOT ALLOWED HERE: THE FULL DISK WAS NOT TESTED ({done.stderr})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def assert_one_sentence(done: "subprocess.CompletedProcess[str]", folder: Path) -> None:
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: The env")]
    assert len(errors) == 1, done.stderr
    assert f"The environment {ENVIRONMENT} can't be created" in errors[0]
    assert "MB of disk are free" in errors[0]
    assert "Traceback" not in done.stderr
    assert not (folder / ENVIRONMENT).exists()
    assert not (folder / ".meridian" / "environments.sha256").exists()


def test_full_disk_is_reported_and_the_next_set_up_succeeds(disk: Path) -> None:
    folder = small_checkout.create(disk / "checkout")
    variables = small_checkout.environment()
    done = small_checkout.set_up(folder, variables)
    small_checkout.require_cache(done)
    assert_one_sentence(done, folder)
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", str(disk)], check=True)
    again = small_checkout.set_up(folder, variables)
    assert again.returncode == 0, again.stderr
    assert small_checkout.is_complete(folder)


def test_file_that_cannot_grow_is_reported_and_the_next_set_up_succeeds(tmp_path: Path) -> None:
    """RLIMIT_FSIZE, which every user can set: a write beyond the limit fails (setrlimit(2))."""
    folder = small_checkout.create(tmp_path / "checkout")
    # In another file system than the cache, packages are copied and not linked.
    variables = small_checkout.environment(UV_LINK_MODE="copy")
    done = small_checkout.set_up(folder, variables, prefix="ulimit -f 100; ")
    small_checkout.require_cache(done)
    assert_one_sentence(done, folder)
    again = small_checkout.set_up(folder, variables)
    assert again.returncode == 0, again.stderr
    assert small_checkout.is_complete(folder)
