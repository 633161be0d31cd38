"""docs/well-architected.md has each question of the lens, and names what exists."""

import re
from typing import Final

import pytest

from tests.support.paths import ROOT

PAGE: Final = (ROOT / "docs" / "well-architected.md").read_text()
#: The questions of the Serverless Applications Lens, by pillar; sustainability has none.
QUESTIONS: Final = (
    *("OPS 1", "OPS 2", "SEC 1", "SEC 2", "SEC 3", "REL 1", "REL 2", "PERF 1", "COST 1"),
)
TARGETS: Final = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
#: Kinds of evidence that a row may name; another document alone shows nothing.
SHOWS: Final = (
    "tests/",
    "tools/tests/",
    "aws_emulator/tests/",
    "stacks/",
    "pipeline/",
    "benchmarks/",
)


def rows() -> list[tuple[str, str, str]]:
    """Return the best practice, the answer and the evidence of each row."""
    listed = []
    for line in PAGE.splitlines():
        cells = [it.strip() for it in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "best practice":
            listed.append((cells[0], cells[1], cells[2]))
    return listed


ROWS: Final = rows()


def test_each_question_of_the_lens_has_a_section_with_answers() -> None:
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    asked = {it.partition(".")[0]: it.count("\n| ") for it in sections}
    assert tuple(asked) == QUESTIONS
    # The heading of the table is a row, too.
    assert min(asked.values()) >= 4
    assert len(ROWS) > 35


@pytest.mark.parametrize("row", ROWS, ids=[it[0] for it in ROWS])
def test_row_names_an_existing_test_resource_or_command(row: tuple[str, str, str]) -> None:
    references = re.findall(r"`([^`]+)`", row[2])
    assert references
    for reference in references:
        if reference.startswith("make "):
            assert reference.removeprefix("make ") in TARGETS
        else:
            assert (ROOT / reference).exists(), reference


@pytest.mark.parametrize("pillar", re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
def test_each_pillar_names_tests_or_resources(pillar: str) -> None:
    text = re.split(rf"^## {pillar}$", PAGE, flags=re.MULTILINE)[1].partition("\n## ")[0]
    references = re.findall(r"`([^`]+)` ?[,|]", text)
    assert any(it.startswith(SHOWS) or it == "template.yaml" for it in references)


def test_each_named_test_file_contains_tests() -> None:
    files = {
        ROOT / it
        for *_, evidence in ROWS
        for it in re.findall(r"`([^`]+)`", evidence)
        if "tests/" in it and it.endswith(".py")
    }
    assert len(files) > 15
    assert [it for it in files if "def test_" not in it.read_text()] == []
