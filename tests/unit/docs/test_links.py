"""Links, paths and commands in the documents exist."""

import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.prose import files

DOCUMENTS = sorted(path for path in files([]) if path.endswith(".md"))
TOP_FOLDERS: tuple[str, ...] = (
    "src/",
    "stacks/",
    "tests/",
    "tools/",
    "aws_emulator/",
    "docs/",
    "lake/",
    "web/",
)
TOP_FOLDERS += ("events/", "benchmarks/", ".github/", ".ci/")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_MAKE = re.compile(r"\bmake ([a-z]+)\b")


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub generates for a document's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[`*]", "", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_to_files_and_headings(document: str) -> None:
    text = (ROOT / document).read_text()
    for link in _LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text()), f"{document}: {link}"


@pytest.mark.parametrize("document", [it for it in DOCUMENTS if "CHANGELOG" not in it])
def test_paths_in_code_spans_exist(document: str) -> None:
    here = (ROOT / document).parent
    for code in _CODE.findall((ROOT / document).read_text()):
        if not code.startswith(TOP_FOLDERS) or re.search(r"[\s<>{}…]", code):
            continue
        path = code.split("::")[0].rstrip("/")
        exists = any(ROOT.glob(path)) or any(here.glob(path))
        assert exists, f"{document}: {code}"


@pytest.mark.parametrize("document", [it for it in DOCUMENTS if "CHANGELOG" not in it])
def test_make_targets_in_code_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / document).read_text()
    blocks = re.findall(r"```.*?```", text, re.DOTALL) + _CODE.findall(text)
    for block in blocks:
        for target in _MAKE.findall(block):
            assert target in targets, f"{document}: make {target}"


def test_every_folder_of_the_first_level_is_in_the_map_of_contributing() -> None:
    listed = (ROOT / "CONTRIBUTING.md").read_text()
    tracked = {Path(path).parts[0] for path in files([]) if "/" in path}
    for folder in sorted(tracked):
        assert f"`{folder}/`" in listed, folder
