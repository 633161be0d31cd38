"""`make dev` on the running system, from a copy of the sources; the watch itself is generic.

aws_emulator/tests/reload/test_watch.py tests `up --watch` with a small project.
"""

import fcntl
import io
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from aws_emulator.reload.file_tree import FileTree
from aws_emulator.reload.reloader import Reloader
from tests.support.waiting import wait_until
from tools.dev import reload, system
from tools.dev.sam_deployment import build_lock
from tools.paths import ROOT
from tools.stack import client

pytestmark = pytest.mark.integration

VALIDATE = "meridian-local-validate"
RESPONSES = "src/edge_auth/responses.py"
REASON = '"X-Meridian-Reason": reason,'


@dataclass
class Developer:
    """A copy of the sources that the running system follows."""

    folder: Path
    running: system.System
    reloader: Reloader
    tree: FileTree
    messages: list[str]

    def edit(self, name: str, old: str, new: str) -> str:
        """Replace a text in a file, apply the change, and return the messages."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return self.apply()

    def apply(self) -> str:
        """Apply all changes and return the messages."""
        self.messages.clear()
        self.reloader.apply(self.tree.all_changes())
        return "\n".join(self.messages)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.running.url}{path}", timeout=30)


@pytest.fixture
def developer(meridian: system.System, tmp_path: Path) -> Iterator[Developer]:
    folder = tmp_path / "meridian"
    for name in ("src", "stacks", "web"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "template.yaml", folder)
    running = reload.project(meridian)
    project = replace(
        running,
        root=folder,
        template=folder / "template.yaml",
        pages=[replace(it, folder=folder / "web") for it in running.pages],
    )
    messages: list[str] = []
    tree = FileTree([folder])
    tree.scan()
    with build_lock(fcntl.LOCK_SH):
        reloader = Reloader(project, messages.append)
    developer = Developer(folder, meridian, reloader, tree, messages)
    yield developer
    # Other tests share the system.
    for name in ("src", "stacks", "web"):
        shutil.rmtree(folder / name)
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    restored = developer.apply()
    assert "✗" not in restored, restored


def test_changed_edge_function_answers_the_next_request(developer: Developer) -> None:
    assert "✓" in developer.edit(RESPONSES, REASON, f'"X-Reloaded": "first", {REASON}')
    assert developer.get("/premium/").headers["X-Reloaded"] == "first"

    message = developer.edit(RESPONSES, '"first"', '"second')
    assert f"{RESPONSES}:" in message
    assert "SyntaxError" in message
    assert developer.get("/premium/").headers["X-Reloaded"] == "first"

    message = developer.edit(RESPONSES, '"second', '"third"')
    assert "EdgeAuthFunction" in message
    assert developer.get("/premium/").headers["X-Reloaded"] == "third"


def test_edge_function_that_cannot_start_shows_the_line(developer: Developer) -> None:
    message = developer.edit(RESPONSES, "import json\n", "import json\nimport jsno\n")
    assert "No module named 'jsno'" in message
    line = (developer.folder / RESPONSES).read_text().splitlines().index("import jsno") + 1
    assert f"{RESPONSES}:{line}: " in message
    assert developer.get("/premium/").status_code == 401


def test_changed_api_description_answers_within_the_cache_time(developer: Developer) -> None:
    assert "Reloaded title" not in developer.get("/api/profile").text
    name = "src/stepfunctions/api/gateway-responses.yaml"
    message = developer.edit(name, '"title": "Unauthorized"', '"title": "Reloaded title"')
    assert "✓" in message, message
    wait_until(lambda: "Reloaded title" in developer.get("/api/profile").text, "the title")


def test_changed_page_is_served(developer: Developer) -> None:
    before = developer.get("/").text
    assert "</title>" in before
    assert "✓ web/public/index.html" in developer.edit(
        "web/public/index.html", "</title>", " reloaded</title>"
    )
    assert developer.get("/").text == before.replace("</title>", " reloaded</title>")


@pytest.mark.nightly
def test_sam_sync_updates_a_function_and_its_alias(meridian: system.System, tmp_path: Path) -> None:
    """`--watch` does the same for each function after a save, and takes as long for each."""
    folder = tmp_path / "meridian"
    # SAM writes into .aws-sam of the folder in which it runs.
    for name in ("src", "stacks"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "template.yaml", folder)
    with (folder / "src/stepfunctions/validate.py").open("a") as module:
        module.write("# saved\n")
    functions = client("lambda", meridian.target)
    before = functions.get_alias(FunctionName=VALIDATE, Name="live")["FunctionVersion"]
    subprocess.run(
        [
            *("sam", "sync", "--code", "--stack-name", meridian.target.stack_name),
            *("--base-dir", "stacks", "--no-dependency-layer"),
            *("--resource-id", "Accounts/AccountWorkflow/ValidateFunction"),
        ],
        cwd=folder,
        env=meridian.target.environment(),
        # The confirmation that this is a development stack.
        input="y\n",
        text=True,
        check=True,
        timeout=300,
    )
    after = functions.get_alias(FunctionName=VALIDATE, Name="live")["FunctionVersion"]
    assert int(after) > int(before)
    location = functions.get_function(FunctionName=VALIDATE, Qualifier="live")["Code"]["Location"]
    with zipfile.ZipFile(io.BytesIO(httpx.get(location).content)) as package:
        assert package.read("stepfunctions/validate.py").endswith(b"# saved\n")
