"""docs/troubleshooting.md quotes the messages of the commands, and has an entry for each error."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
ERRORS: Final = {"CommandError", "SetupError", "DownloadError"}
#: Errors of tools/ without an entry, with the reason.
EXEMPT: Final = {
    "{} Repeat the run with make chaos SEED={}.": "appends the seed to another message",
    "{} Repeat the day with make gameday SEED={}.": "appends the seed to another message",
    "Another client failed.": "only stops a client; the first failure is the message",
    "{} {} events had been answered before.": "repeats another message and adds a count",
    "{} isn't a valid URL.": "`python -m tools.replay` only; `make` passes its own address",
    "--clients must be a number": "`python -m tools.replay` only; `make` checks CLIENTS",
    "The command is missing, as in: record": "draws the recordings of the documents",
    "The recorded command failed:": "draws the recordings of the documents",
    "Can't read {}: not a recording": "draws the recordings of the documents",
}


#: Imperatives of a next step, lists of valid values, and examples.
_STEPS: Final = (
    "Add|Check|Choose|Clone|Compare|Correct|Delete|Deploy|Follow|Free|Give|Install|Name|Read|Record"
    "|Repeat|Report|Restart|Run|See|Select|Set|Solve|Start|Stop|Use|Wait"
)
_VALUES: Final = (
    "For example|Examples: |Available |Functions: |Supported: |as in: |Expected, for example"
    "|must (?:be|have) "
)
NEXT_STEP: Final = re.compile(
    rf"(?:^|[.:}}] )(?:{_STEPS})\b|[,;] (?:then )?(?:{_STEPS.lower()})\b|{_VALUES}"
)
#: Messages without a next step, with the reason.
NO_STEP: Final = {
    **dict.fromkeys(
        (
            "Can't write to {}:",
            "DynamoDB didn't delete expired items within",
            "The event source mappings still have records",
            "make {} failed:",
            "The collector rejected a batch with status",
            "The collector didn't accept a batch within",
            "The on-failure destination didn't receive a batch",
        ),
        "make chaos appends the seed and the folder of the logs",
    ),
    "The streams still have records": "make gameday appends the seed and the folder of the logs",
    "Another client failed.": "only stops a client; the first failure is the message",
    "{} {} events had been answered before.": "repeats another message and adds a count",
    "Can't write {}: {}.": "draws the recordings of the documents",
    "Can't read {}: not a recording": "draws the recordings of the documents",
    "No log line and no row of the data lake": "lists the IDs to choose from",
    "ID is missing": "lists the IDs to choose from",
}


def text_of(node: ast.expr) -> str:
    """Return a string expression's text with {} for each value, without backticks."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.replace("`", "")
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.BinOp):
        return text_of(node.left) + text_of(node.right)
    return "{}"


@cache
def trees(*folders: str) -> list[ast.Module]:
    return list(_parse(*folders))


def _parse(*folders: str) -> Iterator[ast.Module]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "tests" not in path.parts:
                yield ast.parse(path.read_text())


@cache
def texts() -> set[str]:
    """Return all string expressions of the tools and the emulator, without the prefix "error: "."""
    script = (ROOT / "tools" / "setup" / "start.sh").read_text()
    echoed = re.findall(r'"error: ([^"]+)"', script)
    return {re.sub(r"\$\{[^}]+\}", "{}", text) for text in echoed} | {
        text_of(node).strip().removeprefix("error: ").removeprefix("WARNING: ")
        for tree in trees("tools", "aws_emulator")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
    }


@cache
def errors() -> set[str]:
    """Return the messages of the errors that the tools raise, if they have own words."""
    return {
        message
        for tree in trees("tools")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) in ERRORS
        and node.args
        and re.search("[a-z]{3}", message := text_of(node.args[0]))
    }


def lacks_next_step(message: str) -> bool:
    """Return whether the reader of a message learns only what failed."""
    return not NEXT_STEP.search(message) and not message.startswith(tuple(NO_STEP))


def entries(page: str = PAGE) -> list[str]:
    """Return the quoted messages: the first column of the tables, with {} for each value."""
    cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    return [cell.replace("`", "").strip().replace("…", "{}") for cell in cells]


@pytest.mark.parametrize("entry", entries())
def test_quoted_message_occurs_in_the_code(entry: str) -> None:
    assert any(text.startswith(entry) for text in texts())


@pytest.mark.parametrize("message", sorted(errors()))
def test_error_of_the_tools_has_an_entry(message: str) -> None:
    known = [*entries(), *EXEMPT]
    assert any(message.startswith(entry) for entry in known), (
        f"Add {message!r} to docs/troubleshooting.md, or to EXEMPT with a reason."
    )


@pytest.mark.parametrize("message", sorted(EXEMPT))
def test_exemption_is_of_an_existing_error(message: str) -> None:
    assert any(error.startswith(message) for error in errors())
    assert not any(entry.startswith(message) for entry in entries())


def test_each_entry_has_a_cause_and_a_remedy() -> None:
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) == len(entries()) == len(set(entries()))
    for row in rows:
        assert len(row) == 3, row
        assert all(cell.strip() for cell in row), row


def test_message_of_an_expression_has_braces_for_its_values() -> None:
    source = "f'Can\\'t read `{name}`: {error!r}.' ' Next ' + f'{step}'"
    (statement,) = ast.parse(source).body
    assert isinstance(statement, ast.Expr)
    assert text_of(statement.value) == "Can't read {}: {}. Next {}"


@pytest.mark.parametrize("message", sorted(errors()))
def test_error_of_the_tools_names_the_next_step(message: str) -> None:
    assert not lacks_next_step(message)


@pytest.mark.parametrize("message", sorted(NO_STEP))
def test_exemption_from_next_step_is_of_an_existing_error(message: str) -> None:
    assert any(error.startswith(message) for error in errors())


@pytest.mark.parametrize(
    "message", ["Can't create {}: {}", "Can't connect to {}: {}.", "The system has stopped."]
)
def test_message_without_next_step_is_found(message: str) -> None:
    assert lacks_next_step(message)
