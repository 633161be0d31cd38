"""What the comparisons of this version with an earlier one have in common, in turns in one run."""

import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
#: The version of the first measurements.
FIRST_VERSION: Final = "5c8ad0c"
MAX_RATIO: Final = 1.05


class Worker:
    """A version in a process of its own, which answers each line with one."""

    def __init__(self, folder: Path, script: str, environment: dict[str, str], *flags: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *flags, "-c", script],
            cwd=folder, env={**environment, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, line: str) -> str:
        """Send a line and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def sources_of(revision: str, directory: Path) -> Path:
    """Write the sources of an earlier version to a folder, and return their folder there."""
    archive = subprocess.run(
        ["git", "archive", revision, "src"], cwd=ROOT, capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)
    return directory / "src"


def report(label: str, ratio: float) -> bool:
    """Print a ratio. Return whether it is within the limit."""
    is_met = ratio <= MAX_RATIO
    verdict = "ok" if is_met else "EXCEEDED"
    print(f"  {label:<28}{ratio:>7.3f}    limit {MAX_RATIO}  {verdict}", flush=True)
    return is_met
