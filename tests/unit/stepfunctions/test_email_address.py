"""Validation and normalization of email addresses, and their keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import email_address
from tests import strategies


@given(strategies.emails())
def test_normalize_keeps_normalized_address(email: str) -> None:
    assert email_address.normalize(email) == email


@given(st.data(), strategies.emails())
def test_normalize_maps_casings_and_unicode_forms_to_one_address(
    data: st.DataObject, email: str
) -> None:
    assert email_address.normalize(data.draw(strategies.email_forms(email))) == email


@given(st.text() | st.text("a@.é-１ßς\u200d\u212aÅnx", max_size=16))
def test_normalize_returns_ascii_and_is_idempotent(text: str) -> None:
    normalized = email_address.normalize(text)
    if normalized is not None:
        assert normalized.isascii()
        assert email_address.normalize(normalized) == normalized


@pytest.mark.parametrize(
    ("address", "normalized"),
    [
        ("Anna@Bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("o'brien+x@example.com", "o'brien+x@example.com"),
        ("a.b@example.com", "a.b@example.com"),
        # Nontransitional: "ß", the final sigma and the joiners belong to the domain (UTS 46, 4).
        ("anna@Straße.example", "anna@xn--strae-oqa.example"),
        ("anna@βόλος.example", "anna@xn--nxasmm1c.example"),
        ("anna@نامه\u200c\u0627ی.example", "anna@xn--mgba3gch31f060k.example"),
        ("anna@क्ष.भारत", "anna@xn--11b2ezc.xn--h2brj9c"),
        ("anna@r3---sn.example", "anna@r3---sn.example"),
        ("anna@r3---sn。bücher.example", "anna@r3---sn.xn--bcher-kva.example"),
    ],
)
def test_normalize_returns_known_form(address: str, normalized: str) -> None:
    assert email_address.normalize(address) == normalized


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
        # SES has no SMTPUTF8. "ß" must not become "ss": that could be another person's address.
        "straße@example.com",
        "अन्ना@example.com",
        # Invalid in IDNA 2008: symbols, joiners without context, ACE labels that decode to neither.
        "anna@😀.example",
        "anna@xn--e28h.example",
        "anna@ن\u200c.example",
        "anna@xn--zzzz.example",
        "anna@xn--strae-oqa-.example",
        "anna@bü_cher.example",
    ],
)
def test_normalize_rejects_invalid_address(text: str) -> None:
    assert email_address.normalize(text) is None


@pytest.mark.parametrize(("octets", "valid"), [(64, True), (65, False)])
def test_local_part_is_limited_to_64_octets(octets: int, valid: bool) -> None:
    assert (email_address.normalize(f"{'a' * octets}@example.com") is not None) == valid


@pytest.mark.parametrize(("octets", "valid"), [(254, True), (255, False)])
def test_address_is_limited_to_254_octets(octets: int, valid: bool) -> None:
    domain = ".".join(["b" * 63, "b" * 63, "b" * (octets - 60 - 1 - 128 - 4)])
    whole = f"{'a' * 60}@{domain}.com"
    assert len(whole) == octets
    assert (email_address.normalize(whole) is not None) == valid


def test_email_key_depends_on_secret() -> None:
    one, other = (email_address.email_key("a@example.com", bytes([it]) * 32) for it in (1, 2))
    assert len(one) == 64
    assert one != other
    assert one == email_address.email_key("a@example.com", bytes([1]) * 32)
