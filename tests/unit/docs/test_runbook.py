"""Every alarm links to its runbook entry, and the runbook has no entry for a missing alarm."""

import re

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import TEMPLATES, of_type

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
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
