"""Structure, signature, claims: each refused for its own reason, limits at n and one past it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import verifier
from edge_auth.claims import Expectations
from edge_auth.encoding import decode, encode, json_object
from edge_auth.errors import EdgeAuthError, SettingsError, TokenError, TokenExpiredError
from edge_auth.verifier import Verifier
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.conftest import gate_of

KEY = issuer.private_key("first", 2_048)


def fresh(**changes: Any) -> Verifier:
    return gate_of(issuer.Clock(), **changes).verifier


def code_of(token: str, **changes: Any) -> str:
    """The code of the refusal, or "good"."""
    try:
        fresh(**changes).verify(token)
    except EdgeAuthError as error:
        return error.code
    return "good"


type Part = dict[str, object] | bytes


def signed(header: Part, claims: Part | None = None) -> str:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = issuer.access_claims() if claims is None else claims
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return issuer.sign(head, payload, KEY)


HEAD: dict[str, object] = {"kid": "first", "alg": "RS256"}


@given(st.binary(max_size=50))
def test_base64url_has_one_text_per_value(data: bytes) -> None:
    assert decode(encode(data).encode()) == data


@given(st.binary(max_size=12) | st.text("AQgwZz-_+/= \n.", max_size=8).map(str.encode))
def test_a_text_that_decodes_is_the_text_of_its_value(segment: bytes) -> None:
    try:
        data = decode(segment)
    except TokenError:
        return
    assert encode(data).encode() == segment


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (HEAD, "good"),
        (HEAD | {"typ": "JWT"}, "good"),
        (HEAD | {"alg": "none"}, "algorithm_refused"),
        (HEAD | {"alg": "HS256"}, "algorithm_refused"),
        (HEAD | {"alg": "RS512"}, "algorithm_refused"),
        (HEAD | {"alg": "PS256"}, "algorithm_refused"),
        (HEAD | {"alg": "rs256"}, "algorithm_refused"),
        (HEAD | {"alg": ["RS256"]}, "algorithm_refused"),
        ({"kid": "first"}, "algorithm_refused"),
        (HEAD | {"crit": ["exp"]}, "extension_refused"),
        (HEAD | {"crit": []}, "extension_refused"),
        (HEAD | {"b64": False}, "extension_refused"),
        ({"alg": "RS256"}, "key_id_refused"),
        (HEAD | {"kid": ""}, "key_id_refused"),
        (HEAD | {"kid": 1}, "key_id_refused"),
        (HEAD | {"kid": "k" * 256}, "keys_unavailable"),
        (HEAD | {"kid": "k" * 257}, "key_id_refused"),
        (HEAD | {"kid": "../../etc/passwd"}, "keys_unavailable"),
        (HEAD | {"jku": "https://evil.example", "x5u": "https://evil.example"}, "good"),
        (HEAD | {"jwk": issuer.jwk("evil")}, "good"),
        (HEAD | {"x": "x" * 2_000}, "header_too_long"),
        (b"[]", "token_malformed"),
        (b'"RS256"', "token_malformed"),
        (b"", "token_malformed"),
        (b'{"alg":"RS256","kid":"first"', "token_malformed"),
        (json.dumps(HEAD).encode("utf-16"), "token_malformed"),
        (b"\xef\xbb\xbf" + json.dumps(HEAD).encode(), "token_malformed"),
    ],
)
def test_headers(header: Part, code: str) -> None:
    assert code_of(signed(header)) == code


def test_a_key_in_the_header_is_never_used() -> None:
    own = issuer.private_key("evil", 2_048)
    head = json.dumps(HEAD | {"jwk": issuer.jwk("evil")}).encode()
    token = issuer.sign(head, json.dumps(issuer.access_claims()).encode(), own)
    assert code_of(token) == "signature_mismatch"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "good"),
        ({"iss": issuer.ISSUER + "x"}, "issuer_refused"),
        ({"iss": issuer.ISSUER[:-1]}, "issuer_refused"),
        ({"iss": [issuer.ISSUER]}, "issuer_refused"),
        ({"iss": issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")}, "issuer_refused"),
        ({"token_use": "id"}, "token_use_refused"),
        ({"client_id": "other"}, "audience_refused"),
        ({"client_id": None}, "audience_refused"),
        ({"aud": issuer.CLIENT, "client_id": ""}, "audience_refused"),
        ({"exp": issuer.NOW + 0.001}, "good"),
        ({"exp": issuer.NOW}, "token_expired"),
        ({"exp": issuer.NOW - 1}, "token_expired"),
        ({"exp": 0}, "token_expired"),
        ({"exp": -1}, "exp_refused"),
        ({"exp": 1e12}, "good"),
        ({"exp": 1e12 + 1}, "exp_refused"),
        ({"exp": None}, "exp_refused"),
        ({"exp": True}, "exp_refused"),
        ({"exp": "9999999999"}, "exp_refused"),
        ({"exp": [issuer.NOW + 9]}, "exp_refused"),
        ({"iat": issuer.NOW + 60}, "good"),
        ({"iat": issuer.NOW + 61}, "iat_in_future"),
        ({"nbf": issuer.NOW + 60}, "good"),
        ({"nbf": issuer.NOW + 61}, "nbf_in_future"),
        ({"nbf": "now"}, "nbf_refused"),
    ],
)
def test_claims(changes: dict[str, object], code: str) -> None:
    assert code_of(signed(HEAD, issuer.access_claims() | changes)) == code


def test_exp_is_required() -> None:
    claims = issuer.access_claims()
    del claims["exp"]
    assert code_of(signed(HEAD, claims)) == "exp_missing"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}}",
        b"[1]",
        b"null",
        b'{"exp":NaN}',
        b'{"exp":Infinity}',
        b'{"exp":1e999}',
        b'{"exp":' + b"9" * 5_000 + b"}",
        b'{"a":' * 1_200 + b"1" + b"}" * 1_200,
        b"[" * 6_000,
        b"\xff\xfe",
        b"{'exp':1}",
    ],
)
def test_payloads_that_are_signed_and_still_no_claims(payload: bytes) -> None:
    token = signed(HEAD, payload)
    assert code_of(token) in ("token_malformed", "token_too_long", "issuer_refused", "exp_refused")


def test_white_space_around_an_object_is_json() -> None:
    assert json_object(b' \n{"a": 1}\t ') == {"a": 1}


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a.b", "a.b.c.d", "é.b.c", "a b.c.d", "\ud800"]
)
def test_what_has_no_three_segments(token: str) -> None:
    assert code_of(token) == "token_malformed"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "=",
        lambda token: token + "A",
        lambda token: token[:-1],
        lambda token: " " + token,
        lambda token: token + "\n",
        lambda token: token.replace(".", "..", 1),
        lambda token: token + ".x",
        lambda token: token.replace("-", "+").replace("_", "/"),
    ],
)
def test_other_spellings_of_a_good_token(change: Any) -> None:
    token = next(
        it
        for it in (issuer.token(issuer.access_claims(jti=str(n))) for n in range(50))
        if "-" in it
    )
    assert code_of(token) == "good"
    assert code_of(change(token)) != "good"


def token_of_length(length: int) -> str:
    """A good token of exactly so many characters: spaces in header and payload make it up."""
    head, body = json.dumps(HEAD).encode(), json.dumps(issuer.access_claims()).encode()
    for spaces in range(4):
        header = head + b" " * spaces
        rest = length - 2 - len(encode(header)) - len(encode(bytes(256)))
        for payload in (body + b" " * (rest * 3 // 4 - len(body) + more) for more in (-1, 0, 1)):
            if len(encode(payload)) == rest:
                return signed(header, payload)
    raise AssertionError(length)


@pytest.mark.parametrize(("length", "code"), [(8_192, "good"), (8_193, "token_too_long")])
def test_the_longest_token(length: int, code: str) -> None:
    token = token_of_length(length)
    assert len(token) == length
    assert code_of(token) == code


def test_an_id_token_is_checked_by_aud() -> None:
    token = issuer.token(issuer.id_claims())
    assert code_of(token, token_use="id") == "good"
    assert code_of(token) == "token_use_refused"
    other = issuer.token(issuer.id_claims(aud="other", client_id=issuer.CLIENT))
    assert code_of(other, token_use="id") == "audience_refused"


def test_the_newer_issuer_form_is_taken_when_it_is_the_configured_one() -> None:
    newer = issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")
    token = issuer.token(issuer.access_claims(iss=newer))
    assert code_of(token, issuer=newer) == "good"
    assert code_of(issuer.token(), issuer=newer) == "issuer_refused"


def test_a_remembered_token_dies_at_its_exp(clock: issuer.Clock) -> None:
    it = gate_of(clock).verifier
    token = issuer.token(issuer.access_claims(exp=issuer.NOW + 100))
    assert it.verify(token) is it.verify(token)
    clock.now += 100
    with pytest.raises(TokenExpiredError):
        it.verify(token)


def test_a_remembered_token_is_checked_again_after_five_minutes(clock: issuer.Clock) -> None:
    it = gate_of(clock).verifier
    token = issuer.token()
    first = it.verify(token)
    clock.now += verifier.REMEMBERED_FOR - 1
    assert it.verify(token) is first
    clock.now += 1
    assert it.verify(token) is not first


def test_a_remembered_message_with_another_signature_is_not_remembered() -> None:
    it = fresh()
    token = issuer.token()
    it.verify(token)
    message, _, signature = token.rpartition(".")
    other = issuer.token(issuer.access_claims(jti="other")).rpartition(".")[2]
    assert signature != other
    with pytest.raises(TokenError):
        it.verify(f"{message}.{other}")


def test_keys_of_another_issuer_are_no_keys_of_this_one() -> None:
    keys = gate_of(issuer.Clock()).keys
    other = Expectations("https://other.example", issuer.CLIENT, "access", 0)
    with pytest.raises(SettingsError, match="issuer"):
        Verifier(keys, other, issuer.Clock())


def test_memory_is_bounded() -> None:
    it = fresh()
    for number in range(2 * verifier.REMEMBERED + 10):
        it.verify(issuer.token(issuer.access_claims(jti=str(number))))
    assert len(it._young) + len(it._old) <= 2 * verifier.REMEMBERED
    for number in range(20):
        it.verify(issuer.token(None, "first", n=number))
    assert len(it._headers) <= verifier.REMEMBERED_HEADERS
