"""Exit codes and error messages of the commands."""

import pytest

from aws_emulator.errors import CommandError
from tools.cli import exit_code


def test_exit_code_is_the_result_of_the_command() -> None:
    assert exit_code(lambda: 3) == 3


def test_command_error_becomes_a_message_and_exit_code_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> int:
        raise CommandError("Can't read the log.")

    assert exit_code(fail) == 1
    assert capsys.readouterr() == ("", "error: Can't read the log.\n")


def test_keyboard_interrupt_becomes_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    assert exit_code(interrupt) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
