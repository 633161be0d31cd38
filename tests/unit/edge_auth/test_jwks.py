"""The JWKS cache: accepted keys, and when the key set is fetched."""

import json
import threading
from typing import Any

import pytest

from edge_auth.errors import EdgeAuthError, FetchError, KeysUnavailableError, UnknownKeyError
from edge_auth.jwks import FETCH_COOLDOWN_S, MAX_AGE_S, JwksCache, parse_moduli, public_keys
from edge_auth.rsa import PublicKey
from edge_auth.rsa_backend import select_backend
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.conftest import create_context


class JwksEndpoint:
    """An issuer's JWKS endpoint: counts the fetches and can fail."""

    def __init__(self, *kids: str) -> None:
        self.body = json.dumps(issuer.jwks(*kids)).encode()
        self.down = False
        self.fetches = 0

    def __call__(self, url: str) -> bytes:
        self.fetches += 1
        if self.down:
            raise FetchError
        return self.body


def create_cache(endpoint: JwksEndpoint, clock: issuer.Clock, *seed: str) -> JwksCache:
    return JwksCache(
        issuer.ISSUER,
        "https://keys.example/",
        parse_moduli(issuer.jwks(*seed)),
        backend=select_backend(),
        fetch=endpoint,
        clock=clock,
    )


def test_seed_key_needs_no_fetch(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint()
    create_cache(endpoint, clock, "first").get_key("first")
    assert endpoint.fetches == 0


def test_unknown_kid_is_fetched_once_per_cooldown(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("first")
    keys = create_cache(endpoint, clock, "first")
    for moment, fetches in ((0, 1), (FETCH_COOLDOWN_S - 1, 1), (FETCH_COOLDOWN_S, 2)):
        clock.now = issuer.NOW + moment
        with pytest.raises(UnknownKeyError):
            keys.get_key("stranger")
        assert endpoint.fetches == fetches


def test_failed_fetch_has_cooldown_and_raises_keys_unavailable(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("first", "second")
    endpoint.down = True
    keys = create_cache(endpoint, clock, "first")
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            keys.get_key("second")
    assert endpoint.fetches == 1
    endpoint.down = False
    clock.now += FETCH_COOLDOWN_S
    keys.get_key("second")
    assert endpoint.fetches == 2


def test_key_rotation_needs_one_fetch(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("first", "second")
    keys = create_cache(endpoint, clock, "first")
    keys.get_key("second")
    keys.get_key("second")
    assert (endpoint.fetches, keys.generation) == (1, 1)


def test_removed_key_expires_at_max_age(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("second")
    keys = create_cache(endpoint, clock, "first")
    clock.now += MAX_AGE_S - 1
    keys.refresh_if_stale()
    assert keys.contains("first")
    clock.now += 1
    keys.refresh_if_stale()
    assert not keys.contains("first")
    assert keys.contains("second")


@pytest.mark.parametrize(
    ("age_s", "fetches"), [(0, 0), (MAX_AGE_S - 1, 0), (MAX_AGE_S, 1), (MAX_AGE_S * 1_000, 1)]
)
def test_key_set_of_deployment_ages_across_cold_starts(
    clock: issuer.Clock, age_s: int, fetches: int
) -> None:
    """Each process downloads the set once, if the set was old when the process started."""
    endpoint = JwksEndpoint("first", "second")
    for _ in range(2):
        endpoint.fetches = 0
        context = create_context(clock, fetch=endpoint, jwks_time=int(issuer.NOW - age_s))
        for _ in range(3):
            context.verifier.verify(issuer.token())
        assert endpoint.fetches == fetches


def test_removed_key_of_old_deployment_is_refused_after_cold_start(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("second")
    context = create_context(clock, fetch=endpoint, jwks_time=int(issuer.NOW - MAX_AGE_S))
    with pytest.raises(UnknownKeyError):
        context.verifier.verify(issuer.token())


def test_old_key_set_of_deployment_is_used_during_outage(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("first")
    endpoint.down = True
    context = create_context(clock, fetch=endpoint, jwks_time=1)
    context.verifier.verify(issuer.token())
    assert endpoint.fetches == 1


def test_key_set_of_future_is_as_old_as_the_process(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("second")
    context = create_context(clock, fetch=endpoint, jwks_time=int(issuer.NOW + 10 * MAX_AGE_S))
    clock.now += MAX_AGE_S
    with pytest.raises(UnknownKeyError):
        context.verifier.verify(issuer.token(issuer.access_claims(clock.now)))


def test_stale_keys_stay_valid_during_outage(clock: issuer.Clock) -> None:
    endpoint = JwksEndpoint("first")
    endpoint.down = True
    keys = create_cache(endpoint, clock, "first")
    clock.now += 10 * MAX_AGE_S
    keys.refresh_if_stale()
    keys.get_key("first")
    assert endpoint.fetches == 1


@pytest.mark.parametrize("body", [b"", b"{}", b'{"keys":[]}', b'{"keys":{}}', b"[]", b"\xff"])
def test_response_without_keys_keeps_cached_keys(clock: issuer.Clock, body: bytes) -> None:
    endpoint = JwksEndpoint()
    endpoint.body = body
    keys = create_cache(endpoint, clock, "first")
    with pytest.raises(KeysUnavailableError):
        keys.get_key("second")
    keys.get_key("first")


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
def test_unusable_key_is_skipped(changes: dict[str, Any], good: bool) -> None:
    members = [changes, None, {**issuer.jwk("second"), **changes, "kid": changes.get("kid", "odd")}]
    keys = public_keys(parse_moduli({"keys": [*members, issuer.jwk("first")]}), select_backend())
    assert "first" in keys
    assert (len(keys) >= 2) is good


def test_token_with_invalid_claims_causes_no_fetch() -> None:
    from edge_auth.errors import ClaimError

    endpoint = JwksEndpoint("first")
    verifier = create_context(issuer.Clock(), fetch=endpoint).verifier
    foreign = issuer.token(issuer.access_claims(iss="https://evil.example"), "stranger")
    with pytest.raises(ClaimError):
        verifier.verify(foreign)
    assert endpoint.fetches == 0


def test_concurrent_callers_share_one_fetch(clock: issuer.Clock) -> None:
    """A caller waits for a fetch in progress. Without the lock it would return before the key set
    arrives, because of the cooldown."""
    endpoint = JwksEndpoint("first", "second")
    fetch_started, response_allowed = threading.Event(), threading.Event()
    fetched: list[object] = []

    def slow_fetch(url: str) -> bytes:
        fetch_started.set()
        assert response_allowed.wait(60)
        return endpoint(url)

    keys = JwksCache(
        issuer.ISSUER,
        "https://keys.example/",
        parse_moduli(issuer.jwks("first")),
        backend=select_backend(),
        fetch=slow_fetch,
        clock=clock,
    )

    def find_key() -> None:
        try:
            fetched.append(keys.get_key("second"))
        except EdgeAuthError as error:
            fetched.append(error)

    threads = [threading.Thread(target=find_key) for _ in range(8)]
    threads[0].start()
    assert fetch_started.wait(60)
    for thread in threads[1:]:
        thread.start()
    for thread in threads[1:]:
        thread.join(0.05)
        assert thread.is_alive(), fetched
    response_allowed.set()
    for thread in threads:
        thread.join(60)
    assert endpoint.fetches == 1
    assert [type(it) for it in fetched] == [PublicKey] * 8
