"""A test waits at least 30 s for something that must happen: a busy machine is slow.

A long limit costs nothing when the thing happens. A short one makes a test fail that proves nothing
wrong. A limit below a second is a look at what has not happened yet, and is allowed.
"""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.support.paths import ROOT
from tests.unit.architecture.test_clocks import TEST_FOLDERS
from tools.syntax import nodes

MIN_WAIT_S: Final = 30
MAX_LOOK_S: Final = 1
WAITS: Final = {
    "wait_until",
    "until",
    "drain",
    "wait",
    "join",
    "settimeout",
    "communicate",
    "wait_procs",
    "urlopen",
    "create_connection",
}
LIMITS: Final = {"timeout", "timeout_s", "seconds"}


def short_waits(text: str) -> Iterator[int]:
    """Yield the lines that wait for less than `MIN_WAIT_S` and at least `MAX_LOOK_S`."""
    for node in nodes(text):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in WAITS:
                named = [word.value for word in node.keywords if word.arg in LIMITS]
                for limit in (*node.args, *named):
                    match limit:
                        case ast.Constant(value=int() | float() as value) if (
                            MAX_LOOK_S <= value < MIN_WAIT_S and value is not True
                        ):
                            yield node.lineno


@pytest.mark.parametrize("folder", TEST_FOLDERS)
def test_waits_of_tests_last_at_least_30_s(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    violations = {
        str(path.relative_to(ROOT)): lines
        for path in paths
        if (lines := list(short_waits(path.read_text())))
    }
    assert violations == {}, "these lines wait too short: see the docstring of this file"


@pytest.mark.parametrize(
    "violation",
    [
        "poller.until(lambda status: status['mappings'] == [], seconds=2)",
        "wait_until(probe, 'the reading', 10)",
        "thread.join(5)",
        "assert process.wait(timeout=20) == 0",
        "urllib.request.urlopen(url, timeout=2)",
    ],
)
def test_short_wait_is_detected(violation: str) -> None:
    assert list(short_waits(violation))


@pytest.mark.parametrize(
    "allowed",
    [
        "wait_until(probe)",
        "poller.drain(arn, seconds=90)",
        "reader.join(0.1)\nassert reader.is_alive()",
        "connection.settimeout(0)",
        "', '.join(names)",
        "process.communicate('yes', timeout=60)",
    ],
)
def test_long_wait_or_look_is_allowed(allowed: str) -> None:
    assert list(short_waits(allowed)) == []
