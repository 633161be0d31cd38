"""Measure the time from a save until a request sees it, on the system of `make dev`.

    .venv/bin/python benchmarks/reload.py [--rounds 5]

Run the command of `make dev` on free ports, in a copy of this checkout, so that the checkout's
files stay as they are. Each round saves each kind of file once and repeats a request until its
response shows the change. The peer is a build and a deployment after a change, `sam build` and
`sam deploy`, which `make dev` runs for a build input. Print median and maximum, and exit with code
1 if a median exceeds its target. Other work on the machine multiplies the seconds, and less the
ratios to the peer.
"""

import argparse
import os
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

import httpx  # noqa: E402 - the path comes first

from aws_emulator.endpoint import Endpoint  # noqa: E402 - the path comes first
from aws_emulator.errors import CommandError  # noqa: E402 - the path comes first
from aws_emulator.processes import free_port  # noqa: E402 - the path comes first
from benchmarks.checkout_copy import copy_checkout  # noqa: E402 - the path comes first
from tools.stack import describe_stack_by_name, stack_name  # noqa: E402 - the path comes first

CODE_TARGET_S: Final = 2.0
TEMPLATE_TARGET_S: Final = 10.0
START_TIMEOUT_S: Final = 600.0
SAVE_TIMEOUT_S: Final = 300.0
#: The pause between two requests, which compete with the reload for the processors, and the pause
#: before each save.
REQUEST_PAUSE_S: Final = 0.1
SAVE_PAUSE_S: Final = 1.5
FUNCTION: Final = "meridian-local-validate"
MACHINE: Final = "arn:aws:states:us-east-1:000000000000:stateMachine:meridian-local-account"


@dataclass
class DevSystem:
    """A copy of the checkout, and the command of `make dev` that follows it."""

    folder: Path
    process: "subprocess.Popen[str]"
    url: str
    endpoint: Endpoint
    write_key: str = ""
    lines: "queue.Queue[str]" = field(default_factory=queue.Queue)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a client of the emulator, the same one for each service."""
        if service not in self._clients:
            self._clients[service] = self.endpoint.client(service)
        return self._clients[service]

    def wait_for_line(self, *beginnings: str, timeout_s: float = SAVE_TIMEOUT_S) -> str:
        """Return the next line of the command's output with one of these beginnings.

        Raises:
            CommandError: The command ended, or printed no such line in time.
        """
        deadline = time.monotonic() + timeout_s
        read: list[str] = []
        while time.monotonic() < deadline:
            try:
                line = self.lines.get(timeout=0.2)
            except queue.Empty:
                if self.process.poll() is not None:
                    raise CommandError(f"`make dev` ended: {''.join(read[-20:])}") from None
                continue
            read.append(line)
            if line.startswith(beginnings):
                return line
        raise CommandError(f"`make dev` printed no {beginnings} in {timeout_s:g} s: {read[-20:]}")

    def check_reload(self) -> None:
        """Wait until `make dev` reports the reload.

        Raises:
            CommandError: The reload failed. The text has the reason.
        """
        line = self.wait_for_line("✓", "✗")
        if line.startswith("✗"):
            raise CommandError(f"{line}{self.wait_for_line('  ')}".strip())

    def get(self, path: str) -> str:
        """Return the headers and the body of a response."""
        response = httpx.get(f"{self.url}{path}", timeout=60)
        return f"{response.headers}\n{response.text}"

    def send_invalid_event(self) -> str:
        """Return the collector's response to an event without a name."""
        body = {"type": "track", "anonymousId": "developer"}
        authorization = (self.write_key, "")
        response = httpx.post(f"{self.url}/v1/track", json=body, auth=authorization, timeout=60)
        return response.text

    def invoke(self) -> str:
        """Return the result of ValidateFunction for an unknown account."""
        payload = b'{"accountId": "0", "correlationId": "0"}'
        answer = self.client("lambda").invoke(FunctionName=FUNCTION, Payload=payload)
        return str(answer["Payload"].read())

    def variables(self) -> str:
        """Return the environment variables of ValidateFunction."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=FUNCTION)
        return str(configuration["Environment"]["Variables"])

    def definition(self) -> str:
        """Return the definition of the account workflow."""
        machines = self.client("stepfunctions")
        return str(machines.describe_state_machine(stateMachineArn=MACHINE)["definition"])


class Save(NamedTuple):
    """A kind of file: `old` becomes `new`, with the save's mark for {}, and `look` must show it."""

    kind: str
    target_s: float
    file: str
    old: str
    new: str
    look: Callable[[DevSystem], str]


SAVES: Final = (
    Save(
        "page",
        CODE_TARGET_S,
        "web/public/index.html",
        "</title>",
        " {}</title>",
        lambda it: it.get("/"),
    ),
    Save(
        "code of a Lambda@Edge function",
        CODE_TARGET_S,
        "src/edge_auth/responses.py",
        '"X-Meridian-Reason": reason,',
        '"X-Meridian-Reason": reason, "X-Saved": "{}",',
        lambda it: it.get("/premium/"),
    ),
    Save(
        "code of five regional functions",
        CODE_TARGET_S,
        "src/stepfunctions/validate.py",
        "return {**result,",
        'return {**result, "saved": "{}",',
        DevSystem.invoke,
    ),
    Save(
        "module of the collector and the stream processor",
        CODE_TARGET_S,
        "src/clickstream/event.py",
        "a track event needs an event name",
        "a track event needs an event name {}",
        DevSystem.send_invalid_event,
    ),
    Save(
        "API description",
        TEMPLATE_TARGET_S,
        "src/stepfunctions/api/gateway-responses.yaml",
        '"title": "Unauthorized"',
        '"title": "Unauthorized {}"',
        lambda it: it.get("/api/profile"),
    ),
    Save(
        "state machine definition",
        TEMPLATE_TARGET_S,
        "src/stepfunctions/account.asl.yaml",
        "Creates an account from a request",
        "Creates an account from a request {}",
        DevSystem.definition,
    ),
    Save(
        "template: an environment variable of a function",
        TEMPLATE_TARGET_S,
        "stacks/accounts-workflow.yaml",
        "LogGroup: !Ref ValidateFunctionLogGroup\n      Environment:\n        Variables:\n",
        "LogGroup: !Ref ValidateFunctionLogGroup\n      Environment:\n        Variables:\n"
        "          SAVED: {}\n",
        DevSystem.variables,
    ),
    Save(
        "template: a property of the distribution's policy",
        TEMPLATE_TARGET_S,
        "stacks/edge.yaml",
        "form-action 'self';",
        "form-action 'self'; report-to {};",
        lambda it: it.get("/"),
    ),
)
#: A file that only the build reads: `make dev` builds and deploys.
PEER: Final = Save(
    "peer: sam build and sam deploy",
    SAVE_TIMEOUT_S,
    "src/Makefile",
    "# Package contents: one line",
    "# {}\n# Package contents: one line",
    lambda _: "",
)


@contextmanager
def dev_system(folder: Path) -> Iterator[DevSystem]:
    """Start the command of `make dev` in a copy of the checkout, and stop it at the end.

    Raises:
        CommandError: The command ended.
    """
    copy_checkout(folder)
    edge, emulator = free_port(), free_port()
    process = subprocess.Popen(
        [str(folder / ".venv/bin/python"), "-m", "tools.dev", "dev"],
        cwd=folder,
        env={**os.environ, "PORT": str(edge), "EMULATOR_PORT": str(emulator)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = DevSystem(
        folder, process, f"http://localhost:{edge}", Endpoint(f"http://127.0.0.1:{emulator}")
    )
    reader = threading.Thread(target=_read, args=(running,), daemon=True)
    reader.start()
    try:
        running.wait_for_line("Following ", timeout_s=START_TIMEOUT_S)
        cloudformation = running.endpoint.client("cloudformation")
        stack = describe_stack_by_name(cloudformation, stack_name("local", "us-east-1"))
        running.write_key = stack.write_key
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        reader.join()


def _read(running: DevSystem) -> None:
    assert running.process.stdout is not None
    for line in running.process.stdout:
        running.lines.put(line)


def measure(running: DevSystem, save: Save, original: str, mark: str) -> float:
    """Save a change, and return the seconds until a response shows it.

    Raises:
        CommandError: No response showed it in time, or the reload failed.
    """
    assert save.old in original, f"{save.file} has no {save.old!r}"
    text = original.replace(save.old, save.new.replace("{}", mark))
    time.sleep(SAVE_PAUSE_S)
    started = time.monotonic()
    (running.folder / save.file).write_text(text)
    if save is PEER:
        running.check_reload()
        return time.monotonic() - started
    while mark not in save.look(running):
        if time.monotonic() > started + SAVE_TIMEOUT_S:
            raise CommandError(f"{save.file}: the change isn't visible in {SAVE_TIMEOUT_S:g} s.")
        time.sleep(REQUEST_PAUSE_S)
    seconds = time.monotonic() - started
    running.check_reload()
    return seconds


def report(taken: dict[str, list[float]]) -> bool:
    """Print the figures; return whether all medians are within their targets."""
    peer = statistics.median(taken[PEER.kind])
    rounds = len(next(iter(taken.values())))
    print(f"seconds from a save until a request sees it, {rounds} saves each")
    heads = ("median", "maximum", "target", "median / peer")
    print(f"{'':<52}" + "".join(f"{it:>10}" for it in heads[:-1]) + f"{heads[-1]:>16}")
    met = True
    for save in SAVES:
        seconds = taken[save.kind]
        middle, longest = statistics.median(seconds), max(seconds)
        met = met and middle <= save.target_s
        print(
            f"{save.kind:<52}{middle:>10.2f}{longest:>10.2f}{save.target_s:>10.0f}"
            f"{middle / peer:>16.3f}{'' if middle <= save.target_s else '   NOT MET'}"
        )
    print(f"{PEER.kind:<52}{peer:>10.2f}")
    return met


def main() -> int:
    """Measure and print; return 1 if a median exceeds its target."""
    # Also a terminated benchmark stops `make dev`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {}
    originals: dict[str, Any] = {it.file: (ROOT / it.file).read_text() for it in (*SAVES, PEER)}
    with (
        tempfile.TemporaryDirectory() as folder,
        dev_system(Path(folder).resolve() / "meridian") as running,
    ):
        for number in range(rounds):
            for kind, save in enumerate(SAVES):
                mark = f"saved-{kind}-{number}"
                seconds = measure(running, save, originals[save.file], mark)
                taken.setdefault(save.kind, []).append(seconds)
        taken[PEER.kind] = [measure(running, PEER, originals[PEER.file], "saved")]
    return 0 if report(taken) else 1


if __name__ == "__main__":
    sys.exit(main())
