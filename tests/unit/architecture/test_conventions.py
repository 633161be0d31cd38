"""Conventions that the linters don't check: constants, test names and docstrings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.syntax import nodes, parsed

CONSTANT_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*")
UNITS = {
    *("S", "MS", "US", "NS", "MINUTES", "HOURS", "DAYS", "YEARS"),
    *("BYTES", "KB", "KIB", "MB", "MIB", "GB", "GIB", "CHARS", "BITS"),
}
#: Other spellings of a unit.
UNIT_SYNONYMS = {"SEC", "SECS", "SECONDS", "MILLIS", "MILLISECONDS", "CHARACTERS", "LENGTH"}
#: A number with one of these words has a unit: TIMEOUT_S.
DURATIONS = {
    *("AGE", "COOLDOWN", "DELAY", "DURATION", "GRACE", "INTERVAL", "LIFETIME", "MARGIN"),
    *("PAUSE", "PERIOD", "TIMEOUT", "TTL", "WAIT"),
}
#: Use MAX_ and MIN_.
LIMIT_WORDS = {"MAXIMUM", "MINIMUM", "MOST", "LEAST", "LONGEST", "SHORTEST", "LARGEST"}
#: A test name states subject, condition and result. These words hide one of them.
FORBIDDEN_WORDS = {
    *("who", "whose", "whoever", "what", "whatever", "nobody", "somebody", "anybody", "everybody"),
    *("something", "anything", "everything", "work", "works", "correctly", "properly"),
}
#: Verbs that begin a docstring in the third person: "Reads a log." The imperative is "Read".
THIRD_PERSON = {
    *("adds", "answers", "applies", "builds", "calls", "classifies", "collects"),
    *("commits", "compacts", "compares", "computes", "converts", "creates", "decodes"),
    *("deletes", "derives", "draws", "encodes", "ends", "extends", "finds", "handles"),
    *("implements", "invokes", "keeps", "lists", "measures", "opens", "parses", "polls"),
    *("prints", "processes", "puts", "reads", "receives", "reprocesses", "resolves"),
    *("responds", "restores", "runs", "sends", "serves", "sorts", "starts", "tracks"),
    *("validates", "verifies", "writes"),
}
#: Names that say how a variable got its value, not what the value is.
VAGUE_NAMES = {
    *("found", "given", "got", "kept", "made", "thing", "things", "tried", "what"),
    # A position, a location, a path, or an environment of samconfig.toml.
    *("place", "places"),
}
MAX_NAME_CHARS = 90
MIN_WORDS = 3
#: Raised exceptions have one form, the `Raises:` section: not "Raises StorageError if S3 fails."
RAISES_SENTENCE = re.compile(r"\bRaises?\s|\b(?:[Mm]ethods? raises?|or raise) [A-Z]")
#: An entry of a `Raises:` section whose sentence begins in lower case: "OSError: it failed."
LOWER_CASE_ENTRY = re.compile(
    r"^ +\w+(?:Error|Exception|Failed|Exit|Interrupt): (?=[a-z])(.*)", re.MULTILINE
)
TEST_FOLDERS = ("tests", "aws_emulator/tests", "tools/tests")


def sources() -> list[Path]:
    """Return the Python files of the product, the emulator, the tools and the benchmarks."""
    folders = (ROOT / name for name in ("src", "aws_emulator", "tools", "benchmarks"))
    paths = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return [path for path in paths if "tests" not in path.parts]


def is_number(value: ast.expr | None) -> bool:
    """Return whether an expression consists of number literals."""
    match value:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
    return False


def constants(tree: ast.Module) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
    """Yield the module's upper-case names with their assignments."""
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name) and CONSTANT_NAME.fullmatch(name.id):
                    yield name.id, node


def unfinal_constants(text: str) -> list[str]:
    """Return the module-level constants that aren't annotated with Final."""
    return [
        name
        for name, node in constants(parsed(text))
        if isinstance(node, ast.Assign) or not ast.unparse(node.annotation).startswith("Final")
    ]


def misnamed_constants(text: str) -> list[str]:
    """Return the constants without their unit at the end, or with another word than MAX or MIN."""
    misnamed = []
    for name, node in constants(parsed(text)):
        *first, last = words = name.strip("_").split("_")
        lacks_unit = is_number(node.value) and DURATIONS & set(words) and last not in UNITS
        if lacks_unit or UNITS & set(first) or (UNIT_SYNONYMS | LIMIT_WORDS) & set(words):
            misnamed.append(name)
    return misnamed


def misnamed_tests(text: str) -> list[str]:
    """Return the test functions whose name is too short or too long, or has a forbidden word."""
    names = [
        node.name
        for node in nodes(text)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]
    return [
        name
        for name in names
        if len(words := name.split("_")[1:]) < MIN_WORDS
        or len(name) > MAX_NAME_CHARS
        or FORBIDDEN_WORDS & set(words)
    ]


def documentation(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string statement: docstrings and notes on attributes."""
    for node in nodes(text):
        match node:
            case ast.Expr(value=ast.Constant(value=str(document))):
                yield node.lineno, document


def raises_sentences(text: str) -> list[int]:
    """Return the lines of the docstrings that name an exception outside a `Raises:` section."""
    return [line for line, document in documentation(text) if RAISES_SENTENCE.search(document)]


def lower_case_raises(text: str) -> list[str]:
    """Return the entries of `Raises:` sections that begin in lower case."""
    return [
        entry
        for _, document in documentation(text)
        for entry in LOWER_CASE_ENTRY.findall(document.partition("Raises:")[2])
    ]


def third_person_docstrings(text: str) -> list[str]:
    """Return the first lines in the third person; ruff's D401 covers functions only."""
    documented = [node for node in nodes(text) if isinstance(node, ast.Module | ast.ClassDef)]
    lines = [(ast.get_docstring(node) or "-").splitlines()[0] for node in documented]
    return [
        line
        for line in lines
        if (words := line.split())[0].rstrip(",").lower() in THIRD_PERSON
        and words[1] not in {"to", "of"}
    ]


def vague_names(text: str) -> list[str]:
    """Return the variables, arguments and fields with a vague name.

    `it` is the element of a comprehension or the argument of a lambda expression.
    """
    names = ((node, bound_name(node)) for node in nodes(text))
    vague = [(node, name) for node, name in names if name in VAGUE_NAMES or name == "it"]
    if not vague:
        return []
    parents = {child: node for node in nodes(text) for child in ast.iter_child_nodes(node)}
    return [
        f"{getattr(node, 'lineno', 0)}: {name}"
        for node, name in vague
        if not (name == "it" and is_in_expression(node, parents))
    ]


def bound_name(node: ast.AST) -> str | None:
    """Return the name that a node binds, or None."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
    return None


def is_in_expression(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Return whether a comprehension or a lambda expression binds the name."""
    while not isinstance(node := parents[node], ast.stmt):
        if isinstance(node, ast.comprehension | ast.Lambda):
            return True
    return False


@pytest.mark.parametrize("folder", ["src", "aws_emulator", "tools", "benchmarks", "tests"])
def test_variables_have_a_noun_for_their_value(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    violations = {str(path): vague_names(path.read_text()) for path in paths}
    assert {path: names for path, names in violations.items() if names} == {}


def test_docstrings_of_modules_and_classes_begin_in_the_imperative() -> None:
    violations = {str(path): third_person_docstrings(path.read_text()) for path in sources()}
    assert {path: lines for path, lines in violations.items() if lines} == {}


def test_module_level_constants_are_annotated_final() -> None:
    violations = {str(path): unfinal_constants(path.read_text()) for path in sources()}
    assert {path: names for path, names in violations.items() if names} == {}


def test_constant_names_end_with_their_unit() -> None:
    violations = {str(path): misnamed_constants(path.read_text()) for path in sources()}
    assert {path: names for path, names in violations.items() if names} == {}


def test_docstrings_name_exceptions_in_a_raises_section() -> None:
    violations = {str(path): raises_sentences(path.read_text()) for path in sources()}
    assert {path: lines for path, lines in violations.items() if lines} == {}


def test_sentences_of_raises_sections_begin_in_upper_case() -> None:
    violations = {str(path): lower_case_raises(path.read_text()) for path in sources()}
    assert {path: entries for path, entries in violations.items() if entries} == {}


@pytest.mark.parametrize("folder", TEST_FOLDERS)
def test_test_names_state_subject_condition_and_result(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    violations = {str(path): misnamed_tests(path.read_text()) for path in paths}
    assert {path: names for path, names in violations.items() if names} == {}


def test_conventions_detect_each_violation() -> None:
    assert unfinal_constants(
        'A = 1\nB = "b"\nC: Final = 1\nD: dict[str, int] = {}\nE: Final[int] = 1\n_F, G = 1, 2\n'
    ) == ["A", "B", "D", "_F", "G"]
    assert misnamed_constants(
        "BYTES_MAX = 1\nMAX_BYTES = 1\nMOST_ROWS = 1\nWAIT_S = 1\nTIMEOUT = 3\nWAIT_SECONDS = 1\n"
        "MAX_AGE_YEARS = 9\nAGE = 'max-age'\n"
    ) == ["BYTES_MAX", "MOST_ROWS", "TIMEOUT", "WAIT_SECONDS"]
    assert sorted(
        vague_names(
            "found = [it for it in rows if it]\nkey = lambda it: it.id\n"
            "def f(given, *made, kept=1):\n  for it in rows: pass\n  (it, b) = x\n"
            "class Check:\n  found: int\nmatches = 1\nplace = 2\n"
        )
    ) == sorted(
        ["1: found", "3: given", "3: made", "3: kept", "4: it", "5: it", "7: found", "9: place"]
    )
    assert third_person_docstrings(
        '"""Reads a log."""\nclass A:\n  """Starts, stops."""\nclass B:\n  """Calls to Lambda."""\n'
        'class C:\n  """Read a log."""\nclass D:\n  """Names of streams."""\n'
    ) == ["Reads a log.", "Starts, stops."]
    assert raises_sentences(
        'def a():\n  """Read. Raises OSError."""\nclass B:\n  """Every method raises OSError."""\n'
        'class D:\n  """A file. Methods raise OSError if a call fails."""\n'
        'def c():\n  """Read.\n\n  Raises:\n    OSError: It failed.\n  """\n'
        'def d():\n  """Check a value, or raise ValueError."""\n'
    ) == [2, 4, 6, 14]
    assert lower_case_raises(
        'def a():\n  """Read.\n\n  Raises:\n    OSError: it failed.\n'
        '    ValueError: It failed.\n  """\n'
    ) == ["it failed."]
    limit = "test_a_name_" + "a" * (MAX_NAME_CHARS - len("test_a_name_"))
    names = ["test_two_words", "test_nobody_may_pass", "test_parser_works_with_lists"]
    names += ["test_parser_rejects_lists", limit, limit + "a"]
    assert misnamed_tests("".join(f"def {name}(): ...\n" for name in names)) == [
        *(names[:3]),
        limit + "a",
    ]
