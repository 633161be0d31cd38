"""Token verification: structure, signature, claims, cache; each limit at n and n + 1."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_auth import token_verifier
from edge_auth.claims import ExpectedClaims
from edge_auth.encoding import base64url_decode, base64url_encode, parse_json_object
from edge_auth.errors import EdgeAuthError, SettingsError, TokenError, TokenExpiredError
from edge_auth.token_verifier import TokenVerifier
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.conftest import create_context

KEY = issuer.private_key("first", 2_048)


def create_verifier(**changes: Any) -> TokenVerifier:
    return create_context(issuer.Clock(), **changes).verifier


def code_of(token: str, **changes: Any) -> str:
    """Return the error's code, or "good" for a valid token."""
    try:
        create_verifier(**changes).verify(token)
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
def test_base64url_round_trips(data: bytes) -> None:
    assert base64url_decode(base64url_encode(data).encode()) == data


@given(st.binary(max_size=12) | st.text("AQgwZz-_+/= \n.", max_size=8).map(str.encode))
def test_base64url_accepts_only_canonical_encoding(segment: bytes) -> None:
    try:
        data = base64url_decode(segment)
    except TokenError:
        return
    assert base64url_encode(data).encode() == segment


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
def test_header_is_verified(header: Part, code: str) -> None:
    assert code_of(signed(header)) == code


def test_key_in_header_is_ignored() -> None:
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
def test_claim_is_verified(changes: dict[str, object], code: str) -> None:
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
def test_signed_malformed_payload_is_rejected(payload: bytes) -> None:
    token = signed(HEAD, payload)
    assert code_of(token) in ("token_malformed", "token_too_long", "issuer_refused", "exp_refused")


def test_white_space_around_json_object_is_accepted() -> None:
    assert parse_json_object(b' \n{"a": 1}\t ') == {"a": 1}


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a.b", "a.b.c.d", "é.b.c", "a b.c.d", "\ud800"]
)
def test_token_without_three_segments_is_rejected(token: str) -> None:
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
def test_changed_encoding_of_valid_token_is_rejected(change: Any) -> None:
    token = next(
        it
        for it in (issuer.token(issuer.access_claims(jti=str(n))) for n in range(50))
        if "-" in it
    )
    assert code_of(token) == "good"
    assert code_of(change(token)) != "good"


def token_of_length(length: int) -> str:
    """Return a valid token of exactly this length, padded with JSON white space."""
    head, body = json.dumps(HEAD).encode(), json.dumps(issuer.access_claims()).encode()
    for spaces in range(4):
        header = head + b" " * spaces
        rest = length - 2 - len(base64url_encode(header)) - len(base64url_encode(bytes(256)))
        for payload in (body + b" " * (rest * 3 // 4 - len(body) + more) for more in (-1, 0, 1)):
            if len(base64url_encode(payload)) == rest:
                return signed(header, payload)
    raise AssertionError(length)


@pytest.mark.parametrize(("length", "code"), [(8_192, "good"), (8_193, "token_too_long")])
def test_token_limit_is_8192_bytes(length: int, code: str) -> None:
    token = token_of_length(length)
    assert len(token) == length
    assert code_of(token) == code


def test_id_token_audience_is_aud() -> None:
    token = issuer.token(issuer.id_claims())
    assert code_of(token, token_use="id") == "good"
    assert code_of(token) == "token_use_refused"
    other = issuer.token(issuer.id_claims(aud="other", client_id=issuer.CLIENT))
    assert code_of(other, token_use="id") == "audience_refused"


RESOURCE = "https://school.example/pages"


@pytest.mark.parametrize(
    ("audience", "claim", "code"),
    [
        (None, None, "good"),
        # A pre-token-generation trigger can add the claim with this value only.
        (None, issuer.CLIENT, "good"),
        (None, "https://other.example", "audience_refused"),
        (None, ["https://other.example", issuer.CLIENT], "audience_refused"),
        (RESOURCE, RESOURCE, "good"),
        (RESOURCE, [RESOURCE], "good"),
        (RESOURCE, ["https://other.example", RESOURCE], "good"),
        (RESOURCE, RESOURCE + "/", "audience_refused"),
        (RESOURCE, [[RESOURCE]], "audience_refused"),
        (RESOURCE, issuer.CLIENT, "audience_refused"),
        (RESOURCE, None, "audience_refused"),
        (RESOURCE, {RESOURCE: 1}, "audience_refused"),
    ],
)
def test_access_token_for_another_resource_is_rejected(
    audience: str | None, claim: object, code: str
) -> None:
    """A token that is bound to an API (RFC 8707) doesn't open pages."""
    claims = issuer.access_claims()
    token = issuer.token(claims if claim is None else claims | {"aud": claim})
    assert code_of(token, audience=audience) == code
    foreign = issuer.token(claims | {"aud": audience or issuer.CLIENT, "client_id": "other"})
    assert code_of(foreign, audience=audience) == "audience_refused"


def test_both_issuer_forms_are_accepted_while_the_pool_changes() -> None:
    """Tokens that were issued before the change stay valid until they expire."""
    newer = issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")
    tokens = [issuer.token(issuer.access_claims(iss=it)) for it in (issuer.ISSUER, newer)]
    for configured, other in ((issuer.ISSUER, newer), (newer, issuer.ISSUER)):
        codes = [code_of(it, issuer=configured, other_issuers=[other]) for it in tokens]
        assert codes == ["good", "good"]
    foreign = issuer.token(issuer.access_claims(iss=newer + "2"))
    assert code_of(foreign, other_issuers=[newer]) == "issuer_refused"


def test_configured_issuer_form_is_required() -> None:
    newer = issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")
    token = issuer.token(issuer.access_claims(iss=newer))
    assert code_of(token, issuer=newer) == "good"
    assert code_of(issuer.token(), issuer=newer) == "issuer_refused"


def test_cached_token_expires_at_exp(clock: issuer.Clock) -> None:
    verifier = create_context(clock).verifier
    token = issuer.token(issuer.access_claims(exp=issuer.NOW + 100))
    assert verifier.verify(token) is verifier.verify(token)
    clock.now += 100
    with pytest.raises(TokenExpiredError):
        verifier.verify(token)


def test_cached_token_is_verified_again_after_five_minutes(clock: issuer.Clock) -> None:
    verifier = create_context(clock).verifier
    token = issuer.token()
    first = verifier.verify(token)
    clock.now += token_verifier.CACHE_S - 1
    assert verifier.verify(token) is first
    clock.now += 1
    assert verifier.verify(token) is not first


def test_cache_hit_requires_same_signature() -> None:
    verifier = create_verifier()
    token = issuer.token()
    verifier.verify(token)
    message, _, signature = token.rpartition(".")
    other = issuer.token(issuer.access_claims(jti="other")).rpartition(".")[2]
    assert signature != other
    with pytest.raises(TokenError):
        verifier.verify(f"{message}.{other}")


def test_keys_of_another_issuer_are_rejected() -> None:
    keys = create_context(issuer.Clock()).keys
    other = ExpectedClaims("https://other.example", (issuer.CLIENT,), "access", 0)
    with pytest.raises(SettingsError, match="issuer"):
        TokenVerifier(keys, other, issuer.Clock())


def test_caches_are_bounded() -> None:
    verifier = create_verifier()
    for number in range(2 * token_verifier.MAX_CACHED_TOKENS + 10):
        verifier.verify(issuer.token(issuer.access_claims(jti=str(number))))
    assert len(verifier._recent) + len(verifier._older) <= 2 * token_verifier.MAX_CACHED_TOKENS
    for number in range(20):
        verifier.verify(issuer.token(None, "first", n=number))
    assert len(verifier._headers) <= token_verifier.MAX_CACHED_HEADERS
