"""Count stilted constructions in the prose of the repository.

`make prose` prints the rate per 1,000 words of each folder, with LIST=1 also each finding; a test
in tests/unit/docs fails if a folder is above `LIMIT`.
Prose is everything that a person reads: Markdown, docstrings, comments, messages, template
descriptions, page texts. Code, fenced blocks and identifiers in backquotes are left out.

    python -m tools.prose [--list] [PATH ...]
"""

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from tools.syntax import nodes

ROOT: Final = Path(__file__).resolve().parent.parent
#: Findings per 1,000 words. The style guide in CONTRIBUTING.md explains each pattern.
LIMIT: Final = 2.0
#: A string literal counts as prose from this number of words on.
MIN_MESSAGE_WORDS: Final = 4

_VERBS: Final = (
    "is|are|was|were|has|had|have|can|cannot|could|may|must|will|would|does|did|comes|came|"
    "stands|stood|lies|lay|goes|went|holds|held|asks|asked|knows|wants|gets|got|made|makes"
)
PATTERNS: Final[dict[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.IGNORECASE if not name.startswith("initial") else 0)
    for name, pattern in {
        # "What is missing is counted." A question keeps its question mark on the same sentence.
        "initial free relative": r"(?:^|(?<=[.!:;] ))(?:What|Who|Where)\b(?![^.!?]*\?)(?!'s)",
        "free relative": rf"(?<=[;:(] )who (?:{_VERBS})\b(?![^.!?]*\?)",
        "what is": rf"\bwhat (?:{_VERBS})\b(?![^.!?]*\?)",
        "who asks": r"\b(?:by|of|for|to|from|with|and|or|than) who (?:\w+)\b",
        "where there is": r"\bwhere (?:there (?:is|are|was|were)|nothing|none|no|nobody|one)\b",
        "indefinite person": r"\b(?:whoever|whomever|nobody|somebody|anybody|nowhere|whatsoever)\b",
        "is no": r"\b(?:is|are|was|were|be) (?:no|none)\b(?! longer)(?! more than)(?! other)",
        "of its own": r"\bof (?:its|their|one's|his|her|our|my|your) own\b",
        "at the most": r"\bat the (?:most|least)\b",
        "so long": r"\b(?:so|as) (?:long|many|much|often) as\b|\bso (?:long|many)\b",
        "knows nothing": r"\bknows? (?:of|no|nothing|none)\b",
        "archaic": r"\b(?:thereof|therein|whereof|wherein|lest|bears? to|that which)\b",
    }.items()
}
_QUOTED: Final = re.compile(r"\"[^\"\n]{0,400}\"|“[^”]*”")
_CODE: Final = re.compile(r"`[^`\n]*`|https?://\S+|\{[^{}\n]*\}|%\([a-z]+\)s|<[^<>\n]+>")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'\u2019-]*")
_SUFFIXES: Final = {".py", ".md", ".yaml", ".yml", ".js", ".html", ".sql", ".toml", ".css"}
#: Files that others wrote, and the two lists of the words themselves.
EXCLUDED: Final = ("tests/fixtures/", "uv.lock", "LICENSE", "tools/prose.py", "docs/glossary.md")


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of prose: `line` is its first line in the file, counted from 1."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A stilted construction: where it is, its pattern's name, and the words around it."""

    path: str
    line: int
    pattern: str
    excerpt: str


@cache
def passages(path: Path) -> tuple[Passage, ...]:
    """Return the prose of a file by its type."""
    return tuple(_passages(path))


def _passages(path: Path) -> Iterator[Passage]:
    text = path.read_text()
    match path.suffix:
        case ".py":
            yield from _python(text)
        case ".md":
            yield from _markdown(text)
        case ".html":
            yield from _html(text)
        case ".js" | ".css":
            yield from _comments(text, re.compile(r"/\*.*?\*/|(?<![:\w])//[^\n]*", re.DOTALL))
            yield from _strings(text)
        case ".sql":
            yield from _comments(text, re.compile(r"--[^\n]*"))
        case _:
            yield from _hash_comments(text)
            yield from _descriptions(text)


def _python(text: str) -> Iterator[Passage]:
    documented: set[int] = set()
    for node in nodes(text):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                documented.add(first.value.lineno)
                if isinstance(first.value.value, str):
                    yield from _paragraphs(first.value.value, first.value.lineno)
    for node in nodes(text):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.lineno not in documented
            and len(_WORD.findall(node.value)) >= MIN_MESSAGE_WORDS
            and " " in node.value
        ):
            yield Passage(node.lineno, node.value)
    yield from _grouped(
        (token.start[0], token.string.lstrip("#: "))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith(("#!", "# type:"))
    )


def _hash_comments(text: str) -> Iterator[Passage]:
    lines = enumerate(text.splitlines(), 1)
    matches = ((n, re.search(r"(?:^|\s)#+ (.*)", line)) for n, line in lines)
    yield from _grouped((n, match.group(1)) for n, match in matches if match)


def _descriptions(text: str) -> Iterator[Passage]:
    """Yield Description, AlarmDescription, title, summary and the like of YAML."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"(\s*)(?:- )?\w*(?:[Dd]escription|summary|title|Comment):\s*(.*)", line)
        if not match:
            continue
        words = [re.sub(r"^[>|][-+]?$", "", match.group(2))]
        for below in lines[number + 1 :]:
            if below.strip() and len(below) - len(below.lstrip()) <= len(match.group(1)):
                break
            words.append(below.strip())
        yield Passage(number + 1, " ".join(words))


def _markdown(text: str) -> Iterator[Passage]:
    fenced = False
    paragraphs: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        cells = line.strip().strip("|").split(" | ") if line.lstrip().startswith("|") else [line]
        if len(cells) > 1:
            yield from (Passage(number, cell.strip()) for cell in cells)
        bare = "" if fence or fenced or len(cells) > 1 else line
        paragraphs.append((number, re.sub(r"^\s*(?:[-*>#]+|\d+\.)\s+", "", bare)))
    yield from _blocks(paragraphs)


def _html(text: str) -> Iterator[Passage]:
    bare = re.sub(
        r"<(script|style|code)\b.*?</\1>", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL
    )
    for number, line in enumerate(re.sub(r"<[^>]*>", " ", bare).splitlines(), 1):
        if line.strip():
            yield Passage(number, line.strip())


def _comments(text: str, pattern: re.Pattern[str]) -> Iterator[Passage]:
    yield from _grouped(
        (text.count("\n", 0, match.start()) + 1 + offset, line.strip("/*- "))
        for match in pattern.finditer(text)
        for offset, line in enumerate(match.group().splitlines())
    )


def _strings(text: str) -> Iterator[Passage]:
    for match in re.finditer(r"\"([^\"\n]+)\"|'([^'\n]+)'|`([^`]+)`", text):
        words = next(group for group in match.groups() if group)
        if len(_WORD.findall(words)) >= MIN_MESSAGE_WORDS and " " in words:
            yield Passage(text.count("\n", 0, match.start()) + 1, words)


def _grouped(lines: Iterator[tuple[int, str]]) -> Iterator[Passage]:
    """Join comment lines that follow each other."""
    block: list[tuple[int, str]] = []
    for number, line in lines:
        if block and number != block[-1][0] + 1:
            yield from _blocks(block)
            block = []
        block.append((number, line))
    yield from _blocks(block)


def _paragraphs(text: str, first: int) -> Iterator[Passage]:
    yield from _blocks(list(enumerate(text.splitlines(), first)))


def _blocks(lines: Sequence[tuple[int, str]]) -> Iterator[Passage]:
    block: list[tuple[int, str]] = []
    for number, line in [*lines, (0, "")]:
        if line.strip():
            block.append((number, line.strip()))
        elif block:
            yield Passage(block[0][0], " ".join(text for _, text in block))
            block = []


def examine(path: str, passage: Passage) -> tuple[int, list[Finding]]:
    """Return the number of words of a passage, and its findings. Quoted text is not ours."""
    text = _CODE.sub("X", _QUOTED.sub("X", passage.text))
    findings: dict[int, Finding] = {}
    for name, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            around = text[max(match.start() - 30, 0) : match.end() + 30]
            findings.setdefault(match.start(), Finding(path, passage.line, name, around))
    return len(_WORD.findall(text)), list(findings.values())


def tracked(paths: Sequence[str]) -> list[str]:
    """Return the files under the paths that git tracks or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths],
        cwd=ROOT, text=True, capture_output=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    return [path for path in listed if (ROOT / path).exists()]


def files(paths: Sequence[str]) -> list[str]:
    """Return the tracked files under the paths that hold prose."""
    return [
        path
        for path in tracked(paths)
        if not path.startswith(EXCLUDED)
        and (Path(path).suffix in _SUFFIXES or Path(path).name == "Makefile")
    ]


@dataclass(slots=True)
class Rate:
    """The words and the findings of a folder."""

    words: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The findings per 1,000 words."""
        return len(self.findings) / max(self.words, 1) * 1000


def rates(paths: Sequence[str]) -> dict[str, Rate]:
    """Examine the files under the paths; return the rate of each folder, two levels deep."""
    folders: defaultdict[str, Rate] = defaultdict(Rate)
    for path in files(paths):
        rate = folders["/".join(path.split("/")[:-1][:2]) or "."]
        for passage in passages(ROOT / path):
            words, findings = examine(path, passage)
            rate.words += words
            rate.findings += findings
    return dict(sorted(folders.items()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the rate of each folder and the total; return 1 if a folder exceeds the limit."""
    parser = argparse.ArgumentParser(prog="python -m tools.prose", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print each finding")
    parser.add_argument("paths", nargs="*", help="files or folders; the whole repository if none")
    options = parser.parse_args(arguments)
    folders = rates(options.paths)
    if options.list:
        for finding in (finding for rate in folders.values() for finding in rate.findings):
            print(f"{finding.path}:{finding.line}: {finding.pattern}: …{finding.excerpt}…")
    for folder, rate in folders.items():
        _print_rate(rate, folder)
    total = Rate(
        sum(rate.words for rate in folders.values()),
        [finding for rate in folders.values() for finding in rate.findings],
    )
    _print_rate(total, f"total (limit {LIMIT} in each folder)")
    return 1 if any(rate.value > LIMIT for rate in folders.values()) else 0


def _print_rate(rate: Rate, label: str) -> None:
    print(f"{rate.value:6.1f} per 1,000 words  {len(rate.findings):5} in {rate.words:7,}  {label}")


if __name__ == "__main__":
    sys.exit(main())
