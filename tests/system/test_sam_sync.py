"""`sam sync --code`, as docs/local.md describes it, on a copy of the project."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tools.dev import system
from tools.paths import ROOT
from tools.stack import client
from tools.template_yaml import yaml_parse

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

#: In seconds: SAM builds and packages every function of the copy after a save.
TIMEOUT_S = 300
#: Template → the nested stack that the copy keeps of it.
KEPT = {"template.yaml": "Accounts", "stacks/accounts.yaml": "AccountWorkflow"}
VALIDATE = "meridian-local-validate"
MODULE = "src/stepfunctions/validate.py"
SAVED = '"validated"'
DOCUMENT = (ROOT / "docs" / "local.md").read_text()


def documented(pattern: str) -> str:
    """Return the part of the document that a pattern matches."""
    part = re.search(pattern, DOCUMENT)
    assert part, f"docs/local.md has no {pattern}"
    return part[0]


WATCH = shlex.split(documented(r"sam sync --code --watch --stack-name .+"))
RESOURCE = shlex.split(documented(r"--resource-id [\w/]+"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what SAM reads, with the functions of the account workflow.

    With all functions, SAM builds and packages for minutes before it watches.
    """
    folder = tmp_path / "meridian"
    for name in ("src", "stacks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, folder)
    for name, nested in KEPT.items():
        template = yaml_parse((ROOT / name).read_text())
        stack = template["Resources"][nested]
        stack["Properties"].pop("Parameters")
        reduced = {"Transform": template["Transform"], "Resources": {nested: stack}}
        (folder / name).write_text(json.dumps(reduced))
    return folder


@pytest.fixture
def watch(meridian: system.System, copy: Path, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """What `sam sync --code --watch` prints; afterwards, the system has the original code again."""
    output = tmp_path / "output.txt"
    environment = meridian.target.environment()
    with output.open("w") as file:
        process = subprocess.Popen(
            WATCH, cwd=copy, env=environment, stdin=subprocess.PIPE, stdout=file, stderr=file
        )
    assert process.stdin is not None
    # "Confirm that you are synchronizing a development stack."
    process.stdin.write(b"y\n")
    process.stdin.close()

    def is_watching() -> bool:
        assert process.poll() is None, output.read_text()
        return "Sync watch started" in output.read_text()

    try:
        wait_until(is_watching, "the watch", TIMEOUT_S)
        yield output.read_text
    finally:
        process.kill()
        process.wait()
        print(output.read_text())  # pytest shows it if the test fails.
        shutil.copy(ROOT / MODULE, copy / MODULE)
        command = [it for it in WATCH if it != "--watch"] + RESOURCE
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            input="y\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "saved" not in logged(meridian)


def logged(meridian: system.System) -> str:
    """Return the message that ValidateFunction logs for an unknown account."""
    event = {"accountId": "none", "correlationId": "sync"}
    response = client("lambda", meridian.target).invoke(
        FunctionName=f"{VALIDATE}:live", Payload=json.dumps(event).encode(), LogType="Tail"
    )
    assert "FunctionError" not in response
    logs = client("logs", meridian.target)
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{VALIDATE}")["events"]
    lines = [json.loads(it["message"]) for it in events if it["message"].startswith("{")]
    return next(str(it["message"]) for it in reversed(lines) if it.get("correlation_id") == "sync")


def test_saved_module_runs_in_the_system_of_make_up(
    meridian: system.System, copy: Path, watch: Callable[[], str]
) -> None:
    text = (copy / MODULE).read_text()
    assert SAVED in text

    def is_noticed() -> bool:
        (copy / MODULE).write_text(text.replace(SAVED, '"validated and saved"'))
        return "Syncing" in watch()

    # SAM prints that the watch has started before it watches the files, and misses a save between.
    wait_until(is_noticed, "SAM to notice the save", TIMEOUT_S, interval_s=1)
    wait_until(
        lambda: logged(meridian) == "validated and saved", "the saved code", TIMEOUT_S, interval_s=1
    )
