"""Other people's vectors, read where they lie."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edge_auth import jws
from edge_auth.backends import fastest
from edge_auth.encoding import decode
from edge_auth.errors import EdgeAuthError
from edge_auth.jwks import read_keys
from edge_auth.libcrypto import Libcrypto
from edge_auth.rsa import Backend, pure
from tests.support.paths import ROOT
from tests.unit.edge_auth.conftest import gate_of
from tests.unit.edge_auth.issuer import Clock

COOKBOOK = ROOT.parent / "shared" / "fixtures" / "jose" / "rfc7520-cookbook"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(
        not COOKBOOK.is_dir(), reason="THE RFC 7520 VECTORS ARE NOT BESIDE THE REPOSITORY"
    ),
]


def vector(name: str) -> Any:
    (path,) = sorted(Path(COOKBOOK, "jws").glob(f"{name}.*"))
    return json.loads(path.read_text())


@pytest.mark.parametrize("backend", [pure, Libcrypto()], ids=["pure", "libcrypto"])
def test_rfc_7520_4_1_rs256_verifies(backend: Backend) -> None:
    it = vector("4_1")
    token = it["output"]["compact"].encode()
    message, _, signature = token.rpartition(b".")
    header, payload = jws.split(message, signature)
    keys = read_keys({"keys": [it["input"]["key"]]}, backend)
    key = keys[jws.key_id(header)]
    assert decode(payload).decode() == it["input"]["payload"]
    assert key.verifies(hashlib.sha256(message).digest(), decode(signature))
    assert not key.verifies(hashlib.sha256(message + b"A").digest(), decode(signature))


@pytest.mark.parametrize("name", ["4_1", "4_2", "4_3", "4_4"])
def test_rfc_7520_tokens_of_other_algorithms_and_without_claims_are_refused(name: str) -> None:
    it = vector(name)
    gate = gate_of(Clock())
    gate.keys._keys = read_keys({"keys": [it["input"]["key"]]}, fastest())
    with pytest.raises(EdgeAuthError) as refused:
        gate.verifier.verify(it["output"]["compact"])
    assert refused.value.code == ("token_malformed" if name == "4_1" else "algorithm_refused")


@pytest.mark.parametrize("name", ["4_5", "4_6", "4_8"])
def test_rfc_7520_other_serializations_are_no_tokens(name: str) -> None:
    output = vector(name)["output"]
    for form in ("compact", "json", "json_flat"):
        if form in output:
            text = output[form] if form == "compact" else json.dumps(output[form])
            with pytest.raises(EdgeAuthError):
                gate_of(Clock()).verifier.verify(text)


def test_rfc_7520_3_3_the_public_key_is_read_and_the_others_are_not() -> None:
    keys = {
        path.name[:3]: json.loads(path.read_text()) for path in sorted((COOKBOOK / "jwk").iterdir())
    }
    assert set(read_keys({"keys": [keys["3_3"]]}, fastest())) == {keys["3_3"]["kid"]}
    assert read_keys({"keys": [keys["3_1"], keys["3_5"]]}, fastest()) == {}


def test_rfc_7797_unencoded_payloads_are_refused() -> None:
    for path in sorted((COOKBOOK / "rfc7797").glob("*.json")):
        output = json.loads(path.read_text())["output"]
        texts = [it if isinstance(it, str) else json.dumps(it) for it in output.values()]
        for text in texts:
            with pytest.raises(EdgeAuthError):
                gate_of(Clock()).verifier.verify(text)
