"""The options of `make debug`."""

from pathlib import Path

import pytest

from aws_emulator.errors import CommandError
from tools import debug


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "FUNCTION is missing. For example: make debug FUNCTION=EdgeAuthFunction"),
        ({"FUNCTION": "F", "DEBUG_PORT": "80"}, "DEBUG_PORT must be a number from 1024 to 65535"),
        ({"FUNCTION": "F", "DEBUG_PORT": "x"}, "not 'x'"),
        ({"FUNCTION": "F", "DEBUG_PORT": "65536"}, "not '65536'"),
    ],
)
def test_invalid_option_is_refused(tmp_path: Path, options: dict[str, str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        debug.run(options, tmp_path, tmp_path)


@pytest.mark.integration
def test_command_without_event_needs_running_system(tmp_path: Path) -> None:
    template = "Resources:\n  F: {Type: 'AWS::Lambda::Function', Properties: {Code: code}}\n"
    (tmp_path / "template.yaml").write_text(template)
    with pytest.raises(CommandError, match="Debugging F without EVENT needs a running system"):
        debug.run({"FUNCTION": "F", "DEBUG_PORT": "50999"}, tmp_path, tmp_path)
