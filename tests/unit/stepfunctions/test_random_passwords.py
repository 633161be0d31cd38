"""The account workflow and the tools make passwords that the policy of any user pool accepts."""

import re
from collections.abc import Callable

import pytest

from stepfunctions import users
from tools import demo_students


@pytest.mark.parametrize("make", [users.random_password, demo_students.random_password])
@pytest.mark.parametrize("random", ["aaaa", "ZZZZ", "0000", "____"])
def test_random_password_satisfies_the_strictest_policy(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], str], random: str
) -> None:
    """A policy can require 99 characters and each class (PasswordPolicyType); 256 is the limit."""
    # base64url: four characters for three bytes.
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: random * (size // 3))
    password = make()
    assert 99 <= len(password) <= 256
    for characters in ("[A-Z]", "[a-z]", "[0-9]", "[!.]"):
        assert re.search(characters, password), characters
