"""The options of `make student`."""

import pytest

from aws_emulator.errors import CommandError
from tools.dev import student
from tools.dev.student import MIN_PASSWORD_CHARS, StudentOptions


def test_student_is_not_paying_and_gets_a_password_by_default() -> None:
    options = StudentOptions.from_environment({"EMAIL": "asha@example.com"})
    assert (options.email, options.paying) == ("asha@example.com", False)
    assert len(options.password) >= MIN_PASSWORD_CHARS


@pytest.mark.parametrize(
    ("paying", "expected"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_paying_is_any_value_except_zero(paying: str, expected: bool) -> None:
    options = {"EMAIL": "asha@example.com", "PAYING": paying, "STAFF": paying}
    assert StudentOptions.from_environment(options).paying is expected
    assert StudentOptions.from_environment(options).staff is expected


@pytest.mark.parametrize("email", ["", "asha", "asha@", "@example.com", "asha@example", "a b@c.de"])
def test_invalid_email_is_refused_with_an_example(email: str) -> None:
    with pytest.raises(CommandError, match=r"make student EMAIL=asha@example\.com PAYING=1"):
        StudentOptions.from_environment({"EMAIL": email})


def test_password_of_minimum_length_is_accepted_and_a_shorter_one_refused() -> None:
    options = {"EMAIL": "asha@example.com", "PASSWORD": "x" * MIN_PASSWORD_CHARS}
    assert StudentOptions.from_environment(options).password == "x" * MIN_PASSWORD_CHARS
    with pytest.raises(CommandError, match="at least 12 characters"):
        StudentOptions.from_environment(options | {"PASSWORD": "x" * (MIN_PASSWORD_CHARS - 1)})


def test_password_is_not_in_the_options_representation() -> None:
    options = StudentOptions.from_environment(
        {"EMAIL": "a@b.de", "PASSWORD": "correct horse battery"}
    )
    assert "horse" not in repr(options)


def test_student_without_a_running_system_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(student, "find_running_stack", lambda _directory: None)
    with pytest.raises(CommandError, match="Start `make up`"):
        student.student({"EMAIL": "asha@example.com"})
