"""Tests for `digest`: the kept state of a key gives the same HMAC as Python's module."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from clickstream.digest import hmac_sha256


@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_hmac_of_each_message_is_the_one_of_pythons_module(
    key: bytes, messages: list[bytes]
) -> None:
    for message in messages:
        assert hmac_sha256(key, message).digest() == hmac.digest(key, message, "sha256")
