"""Every alarm links to its runbook entry, and the runbook has no entry for a missing alarm."""

import re

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES, of_type

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
INTRODUCTION, _, _ENTRIES = RUNBOOK.partition("\n## ")
PLACEHOLDER = re.compile(r"<[a-z][a-z ]*>")
#: Placeholders that the table of the introduction explains.
EXPLAINED = {
    name
    for cell in re.findall(r"^\| (`<.*?) \|", INTRODUCTION, re.MULTILINE)
    for name in PLACEHOLDER.findall(cell)
}
#: Commands that only the local system understands.
LOCAL_COMMAND = re.compile(
    r"\bmake (?:run|up|dev|down|student|sql|invoke|debug|trace|logs|chaos)\b"
)
#: Commands that act on the local system unless they have these variables, and the variables.
VARIABLES = {
    **dict.fromkeys(
        ("redrive", "reconcile", "verify", "compact", "table"),
        ("STAGE=<", "REGION=<"),
    ),
    **dict.fromkeys(("preflight", "deploy", "smoke", "leftovers", "reprocess"), ("PLACE=<",)),
}
OPERATOR_COMMAND = re.compile(rf"\bmake ({'|'.join(VARIABLES)})\b([^`\n]*)")
#: A name of a resource; the stack's name also has the Region.
NAME = re.compile(r"meridian[-_](?:<stage>|\$\{Stage\})[-\w.]*")
#: Heading and body of each entry.
ENTRIES = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
ALARMS = {
    name: it["Properties"]
    for path in TEMPLATES
    for name, it in of_type(path, "AWS::CloudWatch::Alarm").items()
}


def heading(alarm: str) -> str:
    """Return an alarm's heading: its logical ID in words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", alarm).lower()
    return words[0].upper() + words[1:]


def anchor(alarm: str) -> str:
    """Return GitHub's anchor of an alarm's heading."""
    return heading(alarm).lower().replace(" ", "-")


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_description_links_to_its_runbook_entry(name: str) -> None:
    description = ALARMS[name]["AlarmDescription"]
    text = description if isinstance(description, str) else str(description)
    assert f"docs/runbook.md#{anchor(name)}" in text


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_runbook_entry_has_symptom_impact_and_first_command(name: str) -> None:
    body = ENTRIES[heading(name)]
    for part in ("**Symptom.**", "**Impact.**", "**First command.**"):
        assert part in body, part


def test_runbook_describes_existing_alarms_only() -> None:
    assert set(ENTRIES) == set(map(heading, ALARMS))


def test_entries_use_explained_placeholders_only() -> None:
    used = set(PLACEHOLDER.findall(_ENTRIES))
    assert used - EXPLAINED == set()


def test_introduction_explains_used_placeholders_only() -> None:
    used = {it for it in EXPLAINED if RUNBOOK.count(it) > 1}
    assert EXPLAINED - used == set()


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_entry_names_no_command_of_the_local_system(name: str) -> None:
    assert LOCAL_COMMAND.findall(ENTRIES[name]) == []


def incomplete_commands(text: str) -> list[str]:
    """Return the operator's commands that lack the variables of the deployment."""
    return [
        f"make {target}{arguments}"
        for target, arguments in OPERATOR_COMMAND.findall(text)
        if not all(variable in arguments for variable in VARIABLES[target])
    ]


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_commands_of_an_entry_name_the_deployment(name: str) -> None:
    assert incomplete_commands(ENTRIES[name]) == []


def test_command_without_the_deployment_is_detected() -> None:
    text = (
        "`make redrive`, `make verify STAGE=<stage>`, `make compact STAGE=<stage> REGION=<region>`"
    )
    assert incomplete_commands(text) == ["make redrive", "make verify STAGE=<stage>"]
    assert incomplete_commands("`make preflight`") == ["make preflight"]
    assert incomplete_commands("`make preflight PLACE=<environment>`") == []


def test_entries_name_existing_resources_only() -> None:
    templates = "".join(path.read_text() for path in TEMPLATES)
    existing = {it.replace("${Stage}", "<stage>") for it in NAME.findall(templates)}
    assert set(NAME.findall(_ENTRIES)) - existing == set()
