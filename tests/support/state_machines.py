"""The state machine definitions and their resources, read from the repository's files."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

FOLDER: Final = ROOT / "src" / "stepfunctions"
STACKS: Final = ROOT / "stacks"
WORKFLOW: Final = STACKS / "accounts-workflow.yaml"
#: Name of a definition → its template and the logical id of its state machine.
MACHINES: Final[dict[str, tuple[Path, str]]] = {
    "account": (WORKFLOW, "AccountMachine"),
    "address": (STACKS / "accounts-address.yaml", "AddressMachine"),
    "erase": (STACKS / "accounts-erasure.yaml", "EraseMachine"),
    "export": (STACKS / "accounts-erasure.yaml", "ExportMachine"),
    "admit": (WORKFLOW, "AdmitMachine"),
    "create": (STACKS / "accounts-creation.yaml", "CreateMachine"),
    "failover": (STACKS / "school-bookings.yaml", "FailoverMachine"),
    "import": (STACKS / "accounts-import.yaml", "ImportMachine"),
    "prove": (STACKS / "accounts-starts.yaml", "ProveMachine"),
    "recover": (STACKS / "accounts-starts.yaml", "RecoverMachine"),
    "reprocess": (STACKS / "stream-reprocessing.yaml", "ReprocessMachine"),
    "sweep": (STACKS / "accounts-creation.yaml", "SweepMachine"),
}
SUBSTITUTION: Final = re.compile(r"\$\{([A-Za-z]+)\}")


def text(name: str) -> str:
    """Return the definition file's text."""
    return (FOLDER / f"{name}.asl.yaml").read_text()


@cache
def definition(name: str) -> dict[str, Any]:
    """Return the definition with constant substitutions applied and the partition `aws`.

    Like CloudFormation's handler, it replaces the substitutions in the text before it parses YAML.
    Substitutions that refer to resources stay as they are.
    """
    yaml_text = text(name).replace("${Partition}", "aws")
    for key, value in properties(name)["DefinitionSubstitutions"].items():
        if isinstance(value, str):
            yaml_text = yaml_text.replace(f"${{{key}}}", value)
    loaded = yaml.safe_load(yaml_text)
    assert isinstance(loaded, dict)
    return loaded


def machine_resources(name: str) -> dict[str, dict[str, Any]]:
    """Return the resources of the template that contains the state machine."""
    return resources(MACHINES[name][0])


def properties(name: str) -> dict[str, Any]:
    """Return the properties of the state machine in its template."""
    machine_properties = machine_resources(name)[MACHINES[name][1]]["Properties"]
    assert isinstance(machine_properties, dict)
    return machine_properties


def levels(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the machine and its nested item processors: every object with StartAt and States."""
    yield machine
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from levels(state["ItemProcessor"])


def states(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and the definition of every state, nested ones included."""
    return [pair for level in levels(definition(name)) for pair in level["States"].items()]


def tasks(name: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the states that can fail: Task, Map and Parallel."""
    return [(key, it) for key, it in states(name) if it["Type"] in {"Task", "Map", "Parallel"}]


def next_states(state: dict[str, Any], *, caught: bool = True) -> list[str]:
    """Return the possible next states, with or without those of its catchers."""
    following = [state["Next"]] if "Next" in state else []
    following += [choice["Next"] for choice in state.get("Choices", [])]
    following += [state["Default"]] if "Default" in state else []
    if caught:
        following += [catcher["Next"] for catcher in state.get("Catch", [])]
    return following


def reachable(level: dict[str, Any], *, without: frozenset[str] = frozenset()) -> set[str]:
    """Return the states that are reachable from StartAt on paths not through `without`."""
    reached: set[str] = set()
    waiting = [level["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name not in without:
            waiting += next_states(level["States"][name])
    return reached
