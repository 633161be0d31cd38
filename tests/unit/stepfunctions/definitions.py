"""The state machines as their files and their template say them."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

FOLDER = ROOT / "src" / "stepfunctions"
STACK = ROOT / "stacks" / "accounts.yaml"
#: A machine of the template, by the name of its definition.
MACHINES = {"account": "AccountMachine", "admit": "AdmitMachine", "import": "ImportMachine"}
SUBSTITUTION = re.compile(r"\$\{([A-Za-z]+)\}")


def text(name: str) -> str:
    return (FOLDER / f"{name}.asl.yaml").read_text()


@cache
def definition(name: str) -> dict[str, Any]:
    """Return the definition with `arn:aws`, the rest of its substitutions as they stand."""
    loaded = yaml.safe_load(text(name).replace("${Partition}", "aws"))
    assert isinstance(loaded, dict)
    return loaded


def properties(name: str) -> dict[str, Any]:
    found = resources(STACK)[MACHINES[name]]["Properties"]
    assert isinstance(found, dict)
    return found


def levels(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the machine and every machine within it: what has StartAt and States."""
    yield machine
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from levels(state["ItemProcessor"])


def states(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [pair for level in levels(definition(name)) for pair in level["States"].items()]


def tasks(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(key, it) for key, it in states(name) if it["Type"] in {"Task", "Map", "Parallel"}]


def edges(state: dict[str, Any], *, caught: bool = True) -> list[str]:
    """Return where a state may lead to, with or without what it catches."""
    out = [state["Next"]] if "Next" in state else []
    out += [choice["Next"] for choice in state.get("Choices", [])]
    out += [state["Default"]] if "Default" in state else []
    if caught:
        out += [catcher["Next"] for catcher in state.get("Catch", [])]
    return out


def reachable(level: dict[str, Any], *, without: frozenset[str] = frozenset()) -> set[str]:
    """Return the states that are reached from the start, errors included, not through some."""
    found: set[str] = set()
    waiting = [level["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name not in without:
            waiting += edges(level["States"][name])
    return found
