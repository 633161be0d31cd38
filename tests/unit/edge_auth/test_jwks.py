"""Which keys are believed, and when the issuer is asked."""

import json
import threading
from typing import Any

import pytest

from edge_auth.backends import fastest
from edge_auth.errors import FetchError, KeysUnavailableError, UnknownKeyError
from edge_auth.jwks import COOLDOWN, MAXIMUM_AGE, KeyRing, read_keys
from tests.unit.edge_auth import issuer


class Source:
    """An issuer's key set that can change, fail, and count."""

    def __init__(self, *kids: str) -> None:
        self.body = json.dumps(issuer.jwks(*kids)).encode()
        self.down = False
        self.asked = 0

    def __call__(self, address: str) -> bytes:
        self.asked += 1
        if self.down:
            raise FetchError
        return self.body


def ring(source: Source, clock: issuer.Clock, *seed: str) -> KeyRing:
    return KeyRing(
        issuer.ISSUER,
        "https://keys.example/",
        issuer.jwks(*seed),
        backend=fastest(),
        fetch=source,
        clock=clock,
    )


def test_a_seeded_key_needs_no_fetch(clock: issuer.Clock) -> None:
    source = Source()
    ring(source, clock, "first").find("first")
    assert source.asked == 0


def test_an_unknown_key_is_asked_for_once_per_cooldown(clock: issuer.Clock) -> None:
    source = Source("first")
    keys = ring(source, clock, "first")
    for moment, asked in ((0, 1), (COOLDOWN - 1, 1), (COOLDOWN, 2)):
        clock.now = issuer.NOW + moment
        with pytest.raises(UnknownKeyError):
            keys.find("stranger")
        assert source.asked == asked


def test_a_failed_fetch_has_its_cooldown_too_and_says_so(clock: issuer.Clock) -> None:
    source = Source("first", "second")
    source.down = True
    keys = ring(source, clock, "first")
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            keys.find("second")
    assert source.asked == 1
    source.down = False
    clock.now += COOLDOWN
    keys.find("second")
    assert source.asked == 2


def test_rotation_needs_one_fetch(clock: issuer.Clock) -> None:
    source = Source("first", "second")
    keys = ring(source, clock, "first")
    keys.find("second")
    keys.find("second")
    assert (source.asked, keys.generation) == (1, 1)


def test_a_removed_key_dies_at_the_maximum_age(clock: issuer.Clock) -> None:
    source = Source("second")
    keys = ring(source, clock, "first")
    clock.now += MAXIMUM_AGE - 1
    keys.fresh()
    assert keys.holds("first")
    clock.now += 1
    keys.fresh()
    assert not keys.holds("first")
    assert keys.holds("second")


def test_stale_keys_serve_through_an_outage(clock: issuer.Clock) -> None:
    source = Source("first")
    source.down = True
    keys = ring(source, clock, "first")
    clock.now += 10 * MAXIMUM_AGE
    keys.fresh()
    keys.find("first")
    assert source.asked == 1


@pytest.mark.parametrize("body", [b"", b"{}", b'{"keys":[]}', b'{"keys":{}}', b"[]", b"\xff"])
def test_an_answer_without_keys_keeps_the_old_ones(clock: issuer.Clock, body: bytes) -> None:
    source = Source()
    source.body = body
    keys = ring(source, clock, "first")
    with pytest.raises(KeysUnavailableError):
        keys.find("second")
    keys.find("first")


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),
        ({"extra": {"nested": []}}, True),
        ({"kty": "EC"}, False),
        ({"use": "enc"}, False),
        ({"alg": "RS512"}, False),
        ({"key_ops": ["verify"]}, True),
        ({"key_ops": ["sign"]}, False),
        ({"key_ops": "verify"}, False),
        ({"kid": ""}, False),
        ({"kid": 7}, False),
        ({"e": "Aw"}, False),
        ({"e": "AAEAAQ"}, True),
        ({"n": "AAAA"}, False),
        ({"n": 7}, False),
        ({"n": "é" * 342}, False),
        ({"n": issuer.jwk()["n"] + "="}, False),  # type: ignore[operator]  # a text
        (issuer.jwk("small", 2_047), False),
        (issuer.jwk("large", 4_096), True),
        (issuer.jwk("larger", 4_104), False),
    ],
)
def test_a_bad_key_is_skipped_and_not_fatal(changes: dict[str, Any], good: bool) -> None:
    members = [changes, None, {**issuer.jwk("second"), **changes, "kid": changes.get("kid", "odd")}]
    keys = read_keys({"keys": [*members, issuer.jwk("first")]}, fastest())
    assert "first" in keys
    assert (len(keys) >= 2) is good


def test_a_fetch_is_made_only_for_a_token_that_could_be_good() -> None:
    from edge_auth.errors import ClaimError
    from tests.unit.edge_auth.conftest import gate_of

    source = Source("first")
    verifier = gate_of(issuer.Clock(), fetch=source).verifier
    foreign = issuer.token(issuer.access_claims(iss="https://evil.example"), "stranger")
    with pytest.raises(ClaimError):
        verifier.verify(foreign)
    assert source.asked == 0


def test_one_flight_at_a_time(clock: issuer.Clock) -> None:
    source = Source("first", "second")
    inside = threading.Event()
    go_on = threading.Event()

    def slow(address: str) -> bytes:
        inside.set()
        assert go_on.wait(10)
        return source(address)

    keys = KeyRing(
        issuer.ISSUER,
        "https://keys.example/",
        issuer.jwks("first"),
        backend=fastest(),
        fetch=slow,
        clock=clock,
    )
    threads = [threading.Thread(target=keys.find, args=("second",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert inside.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert source.asked == 1
