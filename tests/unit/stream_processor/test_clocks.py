"""Tests that the proof replaces every clock that the writer and the operator's commands read."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT
from tests.unit.stream_processor.proof.clocks import DATETIME_READERS, TIME_READERS

SOURCES: Final = ROOT / "src"
CALLS: Final = {
    "time": ("time", "time_ns", "monotonic", "perf_counter"),
    "datetime": ("now", "utcnow", "today"),
    "date": ("today",),
}
#: What the histories don't run: commands, their defaults, and the list of suppressed persons.
NOT_SIMULATED: Final = {
    "stream_processor.erasure.erase",
    "stream_processor.handlers.erasure",
    "stream_processor.compaction.compact",
    "stream_processor.repair.reconcile",
    "stream_processor.repair.redrive",
    "stream_processor.repair.trace_events",
    "stream_processor.storage.suppression",
    "stream_processor.table.publish",
}


def clock_calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, "time" or "datetime") for each call of a clock."""
    module = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.attr in CALLS.get(node.value.id, ())
        ):
            yield module, "time" if node.value.id == "time" else "datetime"


def test_histories_replace_every_clock() -> None:
    calls = {
        it for path in (SOURCES / "stream_processor").rglob("*.py") for it in clock_calls(path)
    }
    simulated = {(module.__name__, "time") for module in TIME_READERS}
    simulated |= {(module.__name__, "datetime") for module in DATETIME_READERS}
    assert {it for it in calls if it[0] not in NOT_SIMULATED} == simulated


def test_redrive_reads_no_clock_but_for_the_defaults_of_its_command_line() -> None:
    path = SOURCES / "stream_processor" / "repair" / "redrive.py"
    main = path.read_text().partition("def main(")
    assert ".now(" not in main[0]
    assert main[2].count(".now(") == 1
