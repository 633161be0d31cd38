"""Print the report of a fault injection run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tools.chaos.lake_checks import Check
from tools.chaos.plan import Plan

_WIDTH: Final = 68


@dataclass(frozen=True)
class CommandResult:
    """One command of the operator: its purpose, its counts, and whether they are as expected."""

    command: str
    purpose: str
    counts: str
    passed: bool


def show(
    plan: Plan,
    facts: Mapping[str, str],
    faults: Counter[str],
    commands: Sequence[CommandResult],
    checks: Sequence[Check],
) -> int:
    """Print the report. Returns 0 if every check and command passed, else 1."""
    print(f"\nFault injection, seed {plan.seed}")
    for name, fact in facts.items():
        print(f"  {name:<10}{fact}")

    print(f"\n{'Injected faults':<{_WIDTH}}{'times':>8}")
    for name, times in sorted(faults.items()):
        print(f"  {name:<{_WIDTH - 2}}{times:>8,}")

    print("\nOperator's commands")
    for result in commands:
        print(f"  {_mark(result.passed)} make {result.command:<18}{result.purpose}")
        print(f"      {result.counts}")

    print(f"\n{'Data lake after the repairs, by SQL':<{_WIDTH - 10}}{'expected':>9}{'found':>9}")
    for check in checks:
        print(
            f"  {check.name:<{_WIDTH - 12}}{check.expected:>9,}{check.actual:>9,}"
            f"  {_mark(check.passed)}"
        )

    failed = [check.name for check in checks if not check.passed]
    failed += [f"make {it.command}: {it.purpose}" for it in commands if not it.passed]
    if failed:
        print(f"\n{len(failed)} checks failed. Repeat this run with `make chaos SEED={plan.seed}`:")
        print("\n".join(f"  {name}" for name in failed))
        return 1
    print(f"\n{faults.total():,} faults: no event or change lost, none stored twice.")
    return 0


def _mark(passed: bool) -> str:
    return "✓" if passed else "✗"
