"""The result of one check of `make preflight`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """The effect of a finding on the deployment; the value is the mark in the output."""

    OK = "✓"
    #: The deployment succeeds, but something that the operator expects won't work yet.
    WARNING = "!"
    #: The deployment would fail.
    ERROR = "✗"


@dataclass(frozen=True)
class Finding:
    """A check's result: the observation, and for a problem the action that solves it."""

    severity: Severity
    check: str
    observation: str
    remedy: str = ""

    def lines(self) -> list[str]:
        """Return the finding as lines of text."""
        first = f"  {self.severity.value} {self.check}: {self.observation}"
        return [first, f"      {self.remedy}"] if self.remedy else [first]


def ok(check: str, observation: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(Severity.OK, check, observation)


def warning(check: str, observation: str, remedy: str) -> Finding:
    """Return a finding that doesn't stop the deployment."""
    return Finding(Severity.WARNING, check, observation, remedy)


def error(check: str, observation: str, remedy: str) -> Finding:
    """Return a finding that stops the deployment."""
    return Finding(Severity.ERROR, check, observation, remedy)


def summary(findings: Sequence[Finding]) -> str:
    """Return one line with the number of findings of each severity."""
    counts = {it: sum(1 for each in findings if each.severity is it) for it in Severity}
    nouns = {Severity.OK: "check", Severity.WARNING: "warning", Severity.ERROR: "error"}
    shown = {it: f"{counts[it]} {noun}{'s' * (counts[it] != 1)}" for it, noun in nouns.items()}
    shown[Severity.OK] += " passed"
    return ", ".join(shown.values())
