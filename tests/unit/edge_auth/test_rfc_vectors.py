"""The test vectors of RFC 7520 and RFC 7797, read from the shared fixtures."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edge_auth import jws
from edge_auth.encoding import base64url_decode
from edge_auth.errors import EdgeAuthError
from edge_auth.jwks import parse_moduli, public_keys
from edge_auth.libcrypto import Libcrypto
from edge_auth.rsa import Backend, python_backend
from edge_auth.rsa_backend import select_backend
from tests.support.paths import ROOT
from tests.unit.edge_auth.conftest import create_context
from tests.unit.edge_auth.issuer import Clock

COOKBOOK = ROOT.parent / "shared" / "fixtures" / "jose" / "rfc7520-cookbook"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not COOKBOOK.is_dir(), reason="the shared RFC 7520 vectors are missing"),
]


def vector(name: str) -> Any:
    (path,) = sorted(Path(COOKBOOK, "jws").glob(f"{name}.*"))
    return json.loads(path.read_text())


@pytest.mark.parametrize("backend", [python_backend, Libcrypto()], ids=["pure", "libcrypto"])
def test_rfc_7520_4_1_rs256_verifies(backend: Backend) -> None:
    test_vector = vector("4_1")
    token = test_vector["output"]["compact"].encode()
    message, _, signature = token.rpartition(b".")
    header, payload = jws.split_signing_input(message, signature)
    keys = public_keys(parse_moduli({"keys": [test_vector["input"]["key"]]}), backend)
    key = keys[jws.parse_key_id(header)]
    assert base64url_decode(payload).decode() == test_vector["input"]["payload"]
    assert key.verify_signature(hashlib.sha256(message).digest(), base64url_decode(signature))
    assert not key.verify_signature(
        hashlib.sha256(message + b"A").digest(), base64url_decode(signature)
    )


@pytest.mark.parametrize("name", ["4_1", "4_2", "4_3", "4_4"])
def test_rfc_7520_tokens_with_other_algorithm_or_without_claims_are_rejected(name: str) -> None:
    test_vector = vector(name)
    context = create_context(Clock())
    context.keys._keys = public_keys(
        parse_moduli({"keys": [test_vector["input"]["key"]]}), select_backend()
    )
    with pytest.raises(EdgeAuthError) as raised:
        context.verifier.verify(test_vector["output"]["compact"])
    assert raised.value.code == ("token_malformed" if name == "4_1" else "algorithm_refused")


@pytest.mark.parametrize("name", ["4_5", "4_6", "4_8"])
def test_rfc_7520_other_serializations_are_rejected(name: str) -> None:
    output = vector(name)["output"]
    for form in ("compact", "json", "json_flat"):
        if form in output:
            text = output[form] if form == "compact" else json.dumps(output[form])
            with pytest.raises(EdgeAuthError):
                create_context(Clock()).verifier.verify(text)


def test_rfc_7520_3_3_only_rsa_public_key_is_parsed() -> None:
    keys = {
        path.name[:3]: json.loads(path.read_text()) for path in sorted((COOKBOOK / "jwk").iterdir())
    }
    assert set(parse_moduli({"keys": [keys["3_3"]]})) == {keys["3_3"]["kid"]}
    assert parse_moduli({"keys": [keys["3_1"], keys["3_5"]]}) == {}


def test_rfc_7797_unencoded_payloads_are_rejected() -> None:
    for path in sorted((COOKBOOK / "rfc7797").glob("*.json")):
        output = json.loads(path.read_text())["output"]
        texts = [it if isinstance(it, str) else json.dumps(it) for it in output.values()]
        for text in texts:
            with pytest.raises(EdgeAuthError):
                create_context(Clock()).verifier.verify(text)
