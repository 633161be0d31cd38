"""Signed URLs and signed cookies, made with botocore's signer and with explicit policies."""

import base64
import json
import string
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.tests.cloudfront.fakes import (
    CACHING,
    FakeFunctions,
    FakeOrigins,
    behavior,
    distribution,
    edge_location,
    origin_response,
    request,
    serve,
    unchanged,
)

URL: Final = "https://x.example/media/one.m4s"
#: Base64 with CloudFront's characters in place of those that have a meaning in a URL.
ALPHABET: Final = f"{string.ascii_uppercase}{string.ascii_lowercase}{string.digits}-~"
type Fields = dict[str, str]


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Return the public key, as PublicKeyConfig.EncodedKey contains it."""
    encoded = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


def sha1(message: bytes) -> bytes:
    return rsa_key().sign(message, padding.PKCS1v15(), hashes.SHA1())


def sha256(message: bytes) -> bytes:
    return rsa_key().sign(message, padding.PKCS1v15(), hashes.SHA256())


def ecdsa(message: bytes) -> bytes:
    return ec_key().sign(message, ec.ECDSA(hashes.SHA256()))


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode().translate(str.maketrans("+=/", "-_~"))


def policy(resource: str = "https://x.example/media/*", **conditions: Any) -> bytes:
    condition = {"DateLessThan": {"AWS:EpochTime": int(time.time()) + 600}, **conditions}
    statement = {"Resource": resource, "Condition": condition}
    return json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()


def fields(
    statement: bytes,
    sign: Callable[[bytes], bytes] = sha256,
    key_id: str = "RSA",
    algorithm: str = "SHA256",
) -> Fields:
    """Return the values of a custom policy, without the prefix of the cookies."""
    signed = {"Policy": encode(statement), "Signature": encode(sign(statement))}
    return signed | {"Key-Pair-Id": key_id} | ({"Hash-Algorithm": algorithm} if algorithm else {})


def get(
    cookies: Fields | None = None, query: str = "", path: str = "/media/one.m4s", **more: Any
) -> tuple[int, str]:
    """Return the response's status, and its body."""
    written = "; ".join(f"CloudFront-{name}={value}" for name, value in (cookies or {}).items())
    keys = {"RSA": pem(rsa_key()), "EC": pem(ec_key())}
    restricted = behavior("/media/*", key_groups=("group",), trusted_keys=keys, **more)
    origins = FakeOrigins(site=[lambda: origin_response(200, b"media")])
    edge = edge_location(distribution(restricted), origins=origins)
    cookie = f"other=1; {written}"
    served, body = serve(edge, request(path, query=query, cookie=cookie))
    return served.response.status, body.decode()


def refusal(answer: tuple[int, str]) -> tuple[str, str]:
    """Return code and message of CloudFront's XML document."""
    status, body = answer
    assert status == 403, body
    assert body.startswith('<?xml version="1.0" encoding="UTF-8"?><Error><Code>')
    code = body.partition("<Code>")[2].partition("</Code>")[0]
    return code, body.partition("<Message>")[2].partition("</Message>")[0]


DENIED: Final = ("AccessDenied", "Access denied")
MALFORMED: Final = ("MalformedPolicy", "Malformed Policy")


@pytest.mark.parametrize(
    ("sign", "key_id", "algorithm"),
    [
        (sha1, "RSA", ""),
        (sha1, "RSA", "SHA1"),
        (sha256, "RSA", "SHA256"),
        (ecdsa, "EC", "SHA256"),
    ],
)
def test_signed_cookies_and_url_open_file(
    sign: Callable[[bytes], bytes], key_id: str, algorithm: str
) -> None:
    signed = fields(policy(), sign, key_id, algorithm)
    assert get(signed) == (200, "media")
    assert get(query="&".join(f"{name}={value}" for name, value in signed.items())) == (
        200,
        "media",
    )


@pytest.mark.parametrize(
    ("sign", "key_id", "algorithm"),
    [(sha256, "RSA", ""), (sha1, "RSA", "SHA256"), (ecdsa, "RSA", "SHA256"), (sha256, "EC", "MD5")],
)
def test_signature_with_another_hash_or_key_is_refused(
    sign: Callable[[bytes], bytes], key_id: str, algorithm: str
) -> None:
    assert refusal(get(fields(policy(), sign, key_id, algorithm))) == DENIED


@pytest.mark.parametrize("parameters", ["", "?size=1"])
def test_canned_policy_of_sdk_opens_file_until_expiry(parameters: str) -> None:
    """botocore signs with SHA-1, and writes the parameters after those of the URL."""
    signer = CloudFrontSigner("RSA", sha1)
    for seconds, status in ((60, 200), (-1, 403)):
        end = datetime.fromtimestamp(int(time.time()) + seconds, UTC)
        signed = signer.generate_presigned_url(URL + parameters, date_less_than=end)
        assert get(query=signed.partition("?")[2])[0] == status
    # The signature doesn't apply to another query.
    assert refusal(get(query="size=2&" + signed.partition("?")[2])) == DENIED


def test_request_without_signature_misses_key() -> None:
    expected = ("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
    assert refusal(get()) == expected
    assert refusal(get({"Policy": "x", "Signature": "y"})) == expected
    assert refusal(get(query="Expires=1")) == expected


def test_unknown_key_is_refused() -> None:
    assert refusal(get(fields(policy(), key_id="other"))) == ("InvalidKey", "Unknown Key")


@pytest.mark.parametrize(
    "statement",
    [
        b"",
        b"no JSON",
        b"[]",
        b'{"Statement":[]}',
        policy().replace(b"DateLessThan", b"DateLess"),
        policy(DateLessThan={"AWS:EpochTime": "2000000000"}),
        policy(IpAddress={"AWS:SourceIp": "2001:db8::/32"}),
        policy(IpAddress={"AWS:SourceIp": "everywhere"}),
        json.dumps({"Statement": 2 * json.loads(policy())["Statement"]}).encode(),
    ],
)
def test_malformed_policy_is_refused(statement: bytes) -> None:
    assert refusal(get(fields(statement))) == MALFORMED


def test_key_without_policy_and_expiry_is_malformed() -> None:
    assert refusal(get({"Key-Pair-Id": "RSA", "Signature": "eHg_"})) == MALFORMED


@pytest.mark.parametrize("signature", ["", "%", "x"])
def test_signature_that_is_not_base64_is_refused(signature: str) -> None:
    expected = ("MalformedSignature", "Could not unencode Signature")
    assert refusal(get(fields(policy()) | {"Signature": signature})) == expected


NOW: Final = int(time.time())


@pytest.mark.parametrize(
    ("conditions", "opens"),
    [
        ({"DateLessThan": {"AWS:EpochTime": NOW - 1}}, False),
        ({"DateGreaterThan": {"AWS:EpochTime": NOW - 1}}, True),
        ({"DateGreaterThan": {"AWS:EpochTime": NOW + 3_600}}, False),
        ({"IpAddress": {"AWS:SourceIp": "192.0.2.0/24"}}, True),
        ({"IpAddress": {"AWS:SourceIp": "192.0.2.1"}}, True),
        ({"IpAddress": {"AWS:SourceIp": "0.0.0.0/0"}}, True),
        ({"IpAddress": {"AWS:SourceIp": "198.51.100.0/24"}}, False),
    ],
)
def test_condition_opens_or_refuses(conditions: dict[str, Any], opens: bool) -> None:
    answer = get(fields(policy(**conditions)))
    assert answer == (200, "media") if opens else refusal(answer) == DENIED


@pytest.mark.parametrize(
    ("resource", "opens"),
    [
        ("https://x.example/media/one.m4s", True),
        ("http*://*/media/*", True),
        ("https://x.example/media/???.m4s", True),
        ("https://x.example/media/two.m4s", False),
        ("https://x.example/other/*", False),
        ("https://y.example/media/*", False),
        ("http://x.example/media/*", False),
    ],
)
def test_resource_must_match_url(resource: str, opens: bool) -> None:
    answer = get(fields(policy(resource)))
    assert answer == (200, "media") if opens else refusal(answer) == DENIED


def test_policy_without_resource_opens_every_file() -> None:
    document = json.loads(policy())
    del document["Statement"][0]["Resource"]
    assert get(fields(json.dumps(document).encode()))[0] == 200


def test_signed_url_decides_over_cookies() -> None:
    """A valid cookie doesn't help an expired URL, and an invalid one doesn't harm a valid URL."""
    good, bad = fields(policy()), fields(policy("https://x.example/other"))
    written = {name: "&".join(f"{k}={v}" for k, v in it.items()) for name, it in
               {"good": good, "bad": bad}.items()}  # fmt: skip
    assert refusal(get(good, query=written["bad"])) == DENIED
    assert get(bad, query=written["good"])[0] == 200


def test_first_of_equal_cookies_decides() -> None:
    """A browser sends the cookie with the longest path first (RFC 6265, section 5.4)."""
    signed = fields(policy())
    cookies = "; ".join(f"CloudFront-{name}={value}" for name, value in signed.items())
    keys = {"RSA": pem(rsa_key())}
    edge = edge_location(
        distribution(behavior("/media/*", key_groups=("group",), trusted_keys=keys)),
        origins=FakeOrigins(site=[lambda: origin_response(200, b"media")]),
    )
    for cookie, status in (
        (f"{cookies}; CloudFront-Policy=x", 200),
        (f"CloudFront-Policy=x; {cookies}", 403),
    ):
        assert serve(edge, request("/media/a", cookie=cookie))[0].response.status == status


def test_other_behaviors_need_no_signature() -> None:
    assert get(path="/open")[0] == 200


def test_behavior_with_empty_key_group_refuses_all_signatures() -> None:
    edge = edge_location(distribution(behavior("/media/*", key_groups=("group",))))
    cookies = "; ".join(f"CloudFront-{name}={it}" for name, it in fields(policy()).items())
    assert serve(edge, request("/media/a", cookie=cookies))[0].response.status == 403


def test_function_origin_and_cache_do_not_get_parameters_of_signature() -> None:
    functions = FakeFunctions(viewer_request=unchanged)
    origins = FakeOrigins(site=[lambda: origin_response(200, b"media", cache_control="max-age=9")])
    keys = {"RSA": pem(rsa_key())}
    restricted = behavior(
        "/media/*", "viewer-request", key_groups=("group",), trusted_keys=keys, cache=CACHING
    )
    edge = edge_location(distribution(restricted), functions, origins)
    for _ in range(2):
        signed = fields(policy(), sha256)
        query = "&".join(f"{name}={value}" for name, value in signed.items())
        served, _ = serve(edge, request("/media/a", query=f"v=1&{query}"))
        assert served.response.status == 200
    # Refused requests reach neither the function nor the cache.
    assert serve(edge, request("/media/a"))[0].response.status == 403
    sent = [event["Records"][0]["cf"]["request"]["querystring"] for event in functions.events]
    assert sent == ["v=1", "v=1"]
    assert len(origins.requests) == 1


@given(st.sampled_from(["Policy", "Signature", "Key-Pair-Id"]), st.data())
def test_any_changed_value_is_refused(name: str, data: st.DataObject) -> None:
    signed = fields(policy())
    text = signed[name]
    index = data.draw(st.integers(0, len(text) - 3))
    # The first of a character's six bits: a signature ignores the last ones of its last character.
    other = ALPHABET[ALPHABET.index(text[index]) ^ 32]
    assert get(signed | {name: text[:index] + other + text[index + 1 :]})[0] == 403


def test_refusal_is_xml_of_cloudfront() -> None:
    edge = edge_location(distribution(behavior("/media/*", key_groups=("group",))))
    served, _ = serve(edge, request("/media/a"))
    headers: Mapping[str, Any] = served.response.headers
    assert h.first(headers, "content-type") == "text/xml"  # type: ignore[arg-type]
    assert served.error == "MissingKey"
