"""The report of a run, for somebody who wants to know what was lost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.chaos.judge import Line
from tools.chaos.plan import Plan

_WIDTH = 68


@dataclass(frozen=True)
class Said:
    """One command of an operator: what it was for, what it said, and whether that is right."""

    command: str
    expected: str
    found: str
    right: bool


def show(
    plan: Plan,
    facts: Mapping[str, str],
    happened: Counter[str],
    said: Sequence[Said],
    lines: Sequence[Line],
) -> int:
    """Print it; 0 where everything is as it must be."""
    print(f"\nChaos, seed {plan.seed}")
    for name, fact in facts.items():
        print(f"  {name:<10}{fact}")

    print(f"\n{'What went wrong, on purpose':<{_WIDTH}}{'times':>8}")
    for name, times in sorted(happened.items()):
        print(f"  {name:<{_WIDTH - 2}}{times:>8,}")

    print("\nWhat an operator did about it")
    for one in said:
        print(f"  {_mark(one.right)} make {one.command:<18}{one.expected}")
        print(f"      {one.found}")

    print(f"\n{'What is in the lake then, by SQL':<{_WIDTH - 10}}{'must be':>9}{'is':>9}")
    for name, expected, found in lines:
        print(f"  {name:<{_WIDTH - 12}}{expected:>9,}{found:>9,}  {_mark(expected == found)}")

    wrong = [name for name, expected, found in lines if expected != found]
    wrong += [f"make {one.command}: {one.expected}" for one in said if not one.right]
    if wrong:
        print(f"\n{len(wrong)} not as it must be; SEED={plan.seed} runs the same again:")
        print("\n".join(f"  {name}" for name in wrong))
        return 1
    print(f"\nLost under {happened.total():,} faults: nothing. There twice: nothing.")
    return 0


def _mark(right: bool) -> str:
    return "✓" if right else "✗"
