"""The files for editors and hooks work as the documents describe."""

import json
import re
import shlex
import subprocess
from typing import Any, Final

import pytest
import yaml

from tests.support.paths import ROOT
from tools.dev.commands import UP_EDGE_PORT, UP_EMULATOR_PORT

MAKEFILE: Final = (ROOT / "Makefile").read_text()
HOOKS: Final = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
}


def document(path: str) -> Any:
    return json.loads((ROOT / path).read_text())


@pytest.mark.parametrize(
    "task", document(".vscode/tasks.json")["tasks"], ids=lambda it: it["label"]
)
def test_editor_task_runs_an_existing_target(task: dict[str, Any]) -> None:
    program, target = task["command"].split()
    assert program == "make"
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_editor_finds_the_interpreter_and_the_tests() -> None:
    settings = document(".vscode/settings.json")
    assert (ROOT / settings["python.defaultInterpreterPath"]).exists()
    for path in (*settings["python.testing.pytestArgs"], *settings["python.analysis.extraPaths"]):
        assert (ROOT / path).is_dir()


def test_development_container_sets_up_and_forwards_the_default_ports() -> None:
    container = document(".devcontainer/devcontainer.json")
    assert container["postCreateCommand"] == "make setup"
    assert container["forwardPorts"] == [UP_EDGE_PORT, UP_EMULATOR_PORT]
    assert set(container["portsAttributes"]) == set(map(str, container["forwardPorts"]))


@pytest.mark.parametrize("name", ["ruff-check", "ruff-format", "mypy", "cfn-lint"])
def test_hook_runs_a_program_of_the_locked_environment_that_make_runs_too(name: str) -> None:
    program = shlex.split(HOOKS[name]["entry"])[0]
    assert program.startswith(".venv/bin/")
    assert (ROOT / program).exists()
    assert program in MAKEFILE or program.removeprefix(".venv/bin/") in MAKEFILE


def test_cfn_lint_hook_covers_each_template() -> None:
    pattern = re.compile(HOOKS["cfn-lint"]["files"])
    folders = (ROOT / "stacks", ROOT / "pipeline")
    templates = [ROOT / "template.yaml", *(path for it in folders for path in it.glob("*.yaml"))]
    assert all(pattern.search(path.relative_to(ROOT).as_posix()) for path in templates)


@pytest.mark.parametrize(("characters", "code"), [(1, 0), (72, 0), (73, 1)])
def test_commit_subject_has_at_most_72_characters(
    characters: int, code: int, tmp_path: Any
) -> None:
    message = tmp_path / "message"
    message.write_text(f"{'x' * characters}\n\nA body, which may have longer lines.\n")
    # pre-commit appends the file's name to the entry.
    command = [*shlex.split(HOOKS["subject"]["entry"]), str(message)]
    assert subprocess.run(command, check=False).returncode == code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Read the log\n\nThe reader skipped the last line.\n", 0),
        ("Read the log\n", 1),
        ("Read the log\n\n# Please enter the commit message for your changes.\n", 1),
        ("Read the log\n\n---\n", 1),
    ],
)
def test_commit_message_has_a_body(message: str, code: int, tmp_path: Any) -> None:
    path = tmp_path / "message"
    path.write_text(message)
    command = [*shlex.split(HOOKS["body"]["entry"]), str(path)]
    assert subprocess.run(command, check=False).returncode == code


def test_hooks_are_installed_for_commits_and_their_messages() -> None:
    document = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert document["default_install_hook_types"] == ["pre-commit", "commit-msg"]
    assert "`pre-commit install`" in (ROOT / "CONTRIBUTING.md").read_text()
