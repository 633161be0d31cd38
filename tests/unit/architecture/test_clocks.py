"""No test asserts how long something took: a busy machine would make it fail.

A deadline for a condition is allowed, because it fails only when the condition never holds. Measure
work instead: count calls (aws_emulator, `/_local/calls`), or let two parties wait for each other.

No test compresses with gzip's own time either: two calls in two seconds give different bytes
(RFC 1952 section 2.3, MTIME).
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.paths import ROOT
from tools.syntax import nodes

TEST_FOLDERS: Final = ("tests", "aws_emulator/tests", "tools/tests")
CLOCKS: Final = {
    f"{clock}{unit}"
    for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    for unit in ("", "_ns")
}


def is_reading(node: ast.expr) -> bool:
    """Return whether the expression calls a clock: time.time(), perf_counter(), loop.time()."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[]):
            return name in CLOCKS
    return False


def operands(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the expression and its operands, without the arguments of most calls."""
    yield node
    match node:
        case ast.BinOp(left=left, right=right):
            yield from operands(left)
            yield from operands(right)
        case ast.Call(func=ast.Name(id="abs" | "round" | "int"), args=[argument, *_]):
            yield from operands(argument)


def readings(text: str) -> set[str]:
    """Return the names of variables and attributes that hold a clock reading."""
    names = set()
    for node in nodes(text):
        match node:
            case ast.Assign(targets=[target], value=value) if is_reading(value):
                names.add(ast.unparse(target))
    return names


def timed_assertions(text: str) -> Iterator[int]:
    """Yield the lines that compute a duration, or that assert on a clock reading."""
    names = readings(text)

    def is_time(node: ast.expr) -> bool:
        return is_reading(node) or ast.unparse(node) in names

    for node in nodes(text):
        match node:
            case ast.BinOp(left=left, op=ast.Sub(), right=right) if is_time(right) and not (
                isinstance(left, ast.Constant)
            ):
                yield node.lineno
            case ast.Assert(test=ast.Compare(left=left, comparators=others)) if any(
                is_reading(part) for other in (left, *others) for part in operands(other)
            ):
                yield node.lineno


@pytest.mark.parametrize("folder", TEST_FOLDERS)
def test_tests_never_assert_a_duration(folder: str) -> None:
    # The commands among the test files (__main__.py) print durations.
    paths = [path for path in sorted((ROOT / folder).rglob("*.py")) if path.stem != "__main__"]
    assert paths
    violations = {
        str(path.relative_to(ROOT)): lines
        for path in paths
        if (lines := list(timed_assertions(path.read_text())))
    }
    assert violations == {}, "these lines measure a duration: see the docstring of this file"


@pytest.mark.parametrize(
    "violation",
    [
        "start = time.perf_counter()\nact()\nassert time.perf_counter() - start < 1",
        "start = monotonic()\nact()\nend = monotonic()\nspent = end - start",
        "began = time.time()\nassert call['began'] - began < 2",
        "self.start = time.process_time()\nspent = clock() - self.start",
        "assert time.monotonic() < until",
        "assert abs(time.time() - stamp) < 1",
    ],
)
def test_duration_assertion_is_detected(violation: str) -> None:
    assert list(timed_assertions(violation))


@pytest.mark.parametrize(
    "allowed",
    [
        "until = time.monotonic() + 5\nwhile time.monotonic() < until:\n    pass",
        "recent = time.time() - 60",
        "clock = Clock(time.time())\nassert clock.now == 5",
        "since = time.time()\nwait(lambda: drained(status(), since=since))",
        "assert check(token(exp=int(time.time()) - 1)) == 'EXPIRED'",
        "time.sleep(3 - time.time() % 3)",
    ],
)
def test_deadline_or_timestamp_is_allowed(allowed: str) -> None:
    assert list(timed_assertions(allowed)) == []


def timed_gzip(text: str) -> Iterator[int]:
    """Yield the lines that use `gzip.compress` without `mtime`."""
    timeless = {
        node.func
        for node in nodes(text)
        if isinstance(node, ast.Call) and any(word.arg == "mtime" for word in node.keywords)
    }
    for node in nodes(text):
        match node:
            case ast.Attribute(value=ast.Name(id="gzip"), attr="compress" | "GzipFile"):
                if node not in timeless:
                    yield node.lineno


@pytest.mark.parametrize("folder", TEST_FOLDERS)
def test_tests_never_compress_with_the_time(folder: str) -> None:
    violations = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (lines := list(timed_gzip(path.read_text())))
    }
    assert violations == {}, "pass mtime=0: see the docstring of this file"


@pytest.mark.parametrize(
    "violation",
    ["gzip.compress(data)", "pack = gzip.compress", "gzip.GzipFile(fileobj=file, mode='wb')"],
)
def test_gzip_with_the_time_is_detected(violation: str) -> None:
    assert list(timed_gzip(violation))


@pytest.mark.parametrize("allowed", ["gzip.compress(data, mtime=0)", "gzip.decompress(data)"])
def test_gzip_without_the_time_is_allowed(allowed: str) -> None:
    assert list(timed_gzip(allowed)) == []
