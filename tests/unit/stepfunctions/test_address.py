"""When are two addresses the same, and which are none?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import address
from tests import strategies


@given(strategies.emails())
def test_an_address_is_its_own_canonical_form(email: str) -> None:
    assert address.canonical(email) == email


@given(st.data(), strategies.emails())
def test_casings_and_unicode_forms_are_one_address(data: st.DataObject, email: str) -> None:
    assert address.canonical(data.draw(strategies.email_forms(email))) == email


@given(st.text() | st.text("a@.é-１ß\u212aÅ", max_size=12))
def test_canonical_is_ascii_and_stable(text: str) -> None:
    found = address.canonical(text)
    if found is not None:
        assert found.isascii()
        assert address.canonical(found) == found


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Anna@Bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("o'brien+x@example.com", "o'brien+x@example.com"),
        ("a.b@example.com", "a.b@example.com"),
    ],
)
def test_known_addresses(written: str, canonical: str) -> None:
    assert address.canonical(written) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a",
        "a@b",
        "a@@example.com",
        "a@b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a b@example.com",
        '"a"@example.com',
        "a@example..com",
        "a@example.com.",
        "a@-example.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a\n@example.com",
        "a@example.com\nbcc: b@example.com",
        # SES has no SMTPUTF8, and sz is not ss: mail to the one must not go to the other.
        "straße@example.com",
        "anna@straße.example",
        "अन्ना@example.com",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert address.canonical(text) is None


@pytest.mark.parametrize(("octets", "legal"), [(64, True), (65, False)])
def test_the_part_before_the_at_is_bounded(octets: int, legal: bool) -> None:
    assert (address.canonical(f"{'a' * octets}@example.com") is not None) == legal


@pytest.mark.parametrize(("octets", "legal"), [(254, True), (255, False)])
def test_an_address_is_bounded(octets: int, legal: bool) -> None:
    domain = ".".join(["b" * 63, "b" * 63, "b" * (octets - 60 - 1 - 128 - 4)])
    whole = f"{'a' * 60}@{domain}.com"
    assert len(whole) == octets
    assert (address.canonical(whole) is not None) == legal


def test_a_key_needs_the_secret() -> None:
    one, other = (address.key("a@example.com", bytes([it]) * 32) for it in (1, 2))
    assert len(one) == 64
    assert one != other
    assert one == address.key("a@example.com", bytes([1]) * 32)
