"""Measure `make deploy` on the emulator: the first deployment, an unchanged one, a changed one.

    .venv/bin/python benchmarks/deploy.py [--rounds 2]

Run the commands of `make deploy` in a copy of this checkout, with the emulator as the AWS account.
Each round deploys without a change, and after a change of one function's code. The peer is the
first deployment, which creates all resources. Print medians, and the ratio to the peer.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from aws_emulator import launcher  # noqa: E402 - the path comes first
from aws_emulator.errors import CommandError  # noqa: E402 - the path comes first
from benchmarks.checkout_copy import copy_checkout  # noqa: E402 - the path comes first

CHANGED_FILE: Final = "src/stepfunctions/validate.py"
#: The parameters of the environment `default` in samconfig.toml.
OVERRIDES: Final = 'parameter_overrides = ["Stage=dev"]'


def run(folder: Path, command: list[str], endpoint: str) -> float:
    """Run a command in the copy, with the emulator as AWS; return its seconds.

    Raises:
        CommandError: The command failed.
    """
    environment = os.environ | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PATH": f"{folder / '.venv/bin'}:{os.environ['PATH']}",
        "MERIDIAN_UV": str(folder / ".meridian/bin/uv"),
        "SAM_CLI_TELEMETRY": "0",
    }
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        raise CommandError("\n".join([f"{' '.join(command)} failed:", *lines[-30:]]))
    return time.monotonic() - started


def point_to_emulator(folder: Path, endpoint: str) -> None:
    """Set the parameter of the copy with which the functions use the emulator's user pool."""
    config = folder / "samconfig.toml"
    text = config.read_text()
    assert OVERRIDES in text, config
    with_url = OVERRIDES.replace("]", f', "EmulatorUrl={endpoint}"]')
    config.write_text(text.replace(OVERRIDES, with_url, 1))


def measure(folder: Path, endpoint: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each kind of deployment, with those of `sam build`."""
    build = [str(folder / ".venv/bin/sam"), "build"]
    deploy = [str(folder / ".venv/bin/python"), "-m", "tools.deployment", "deploy", "default"]

    def once() -> tuple[float, float]:
        return run(folder, build, endpoint), run(folder, deploy, endpoint)

    _, first = once()
    taken: dict[str, list[float]] = {"first deployment": [first]}
    source = folder / CHANGED_FILE
    for number in range(rounds):
        build_s, unchanged_s = once()
        source.write_text(f"{source.read_text()}\n_CHANGE = {number}\n")
        _, changed_s = once()
        taken.setdefault("build without a change", []).append(build_s)
        taken.setdefault("deployment without a change", []).append(unchanged_s)
        taken.setdefault("deployment of a changed function", []).append(changed_s)
    return taken


def report(taken: dict[str, list[float]]) -> None:
    """Print the medians, and their ratio to the first deployment."""
    (peer,) = taken["first deployment"]
    print(f"{'seconds on the emulator':<40}{'median':>10}{'/ first':>10}")
    for kind, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{kind:<40}{middle:>10.1f}{middle / peer:>10.2f}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "meridian"
        copy_checkout(folder)
        with launcher.start(Path(name).resolve() / "emulator") as emulator:
            point_to_emulator(folder, emulator.endpoint)
            report(measure(folder, emulator.endpoint, rounds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
