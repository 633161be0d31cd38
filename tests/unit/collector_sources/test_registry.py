"""The content of the snapshot of sources: each change, its limits, and deployments."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector_sources import registry
from collector_sources.errors import ConflictError, InvalidRequestError, UnknownSourceError
from edge_ingest.settings import parse_published
from signed_snapshot import fingerprint

PORTAL = {"id": "portal", "write_key": "portal-key", "privacy": {"ip": "drop"}}


def content(*deployed: dict[str, Any]) -> registry.Content:
    return registry.merge_deployed({}, deployed or [PORTAL])


def ids(published: registry.Content) -> list[str]:
    return [source["id"] for source in published["sources"]]


def keys_of(published: registry.Content, name: str) -> list[str]:
    (source,) = [source for source in published["sources"] if source["id"] == name]
    return list(source["keys"])


def test_collector_reads_the_sources_of_a_deployment() -> None:
    sources = parse_published(content()["sources"])
    assert list(sources) == [fingerprint("write_key", "portal-key")]
    (source,) = sources.values()
    assert (source.id, source.write_key, source.privacy.ip) == ("portal", "", "drop")


def test_deployment_replaces_and_ends_sources_that_no_request_has_changed() -> None:
    first = content(PORTAL, {"id": "shop", "write_key": "shop-key"})
    second = registry.merge_deployed(first, [{"id": "portal", "write_key": "other-key"}])
    assert ids(second) == ["portal"]
    assert keys_of(second, "portal") == [fingerprint("write_key", "other-key")]


def test_deployment_leaves_changed_and_created_sources_as_they_are() -> None:
    changed = registry.configure(content(), "portal", {"privacy": {"ip": "hash"}})
    changed = registry.create(changed, "shop", {}, "shop-key")
    later = registry.merge_deployed(changed, [{"id": "portal", "write_key": "other-key"}])
    assert later["sources"][0]["privacy"] == {"ip": "hash"}
    assert keys_of(later, "portal") == [fingerprint("write_key", "portal-key")]
    without = registry.merge_deployed(later, [])
    assert sorted(ids(without)) == ["portal", "shop"]
    assert ids(registry.remove(without, "portal")) == ["shop"]


@pytest.mark.parametrize(
    "deployed",
    [[{"id": "portal"}], [{"write_key": "k"}], [PORTAL | {"privacy": {"ip": "keep"}}], [{}]],
)
def test_invalid_deployment_is_refused(deployed: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRequestError):
        registry.merge_deployed({}, deployed)


def test_rotation_keeps_two_keys_and_retirement_the_newer_one() -> None:
    one = registry.create(content(), "shop", {}, "key-1")
    with pytest.raises(ConflictError, match="Rotate it first"):
        registry.retire(one, "shop")
    two = registry.rotate(one, "shop", "key-2")
    assert keys_of(two, "shop") == [fingerprint("write_key", key) for key in ("key-2", "key-1")]
    with pytest.raises(ConflictError, match="Retire the older one first"):
        registry.rotate(two, "shop", "key-3")
    assert keys_of(registry.retire(two, "shop"), "shop") == [fingerprint("write_key", "key-2")]


def test_disabled_source_keeps_its_keys() -> None:
    disabled = registry.enable(content(), "portal", enabled=False)
    assert parse_published(disabled["sources"]) == {}
    enabled = registry.enable(disabled, "portal", enabled=True)
    assert len(parse_published(enabled["sources"])) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"write_key": "k"},
        {"keys": []},
        {"enabled": True},
        {"privcy": {}},
        {"limits": {"batch_bytes": 99_000_000}},
        {"origins": ["https://school.example/path"]},
        {"privacy": {"ip": "keep"}},
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        registry.create(content(), "shop", settings, "key")
    with pytest.raises(InvalidRequestError):
        registry.configure(content(), "portal", settings)


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "ü"])
def test_invalid_id_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError):
        registry.create(content(), name, {}, "key")


def test_source_of_the_deployment_and_existing_id_conflict() -> None:
    with pytest.raises(ConflictError, match="Disable it"):
        registry.remove(content(), "portal")
    with pytest.raises(ConflictError, match="already"):
        registry.create(content(), "portal", {}, "key")


@pytest.mark.parametrize(
    "change",
    [
        lambda it: registry.configure(it, "shop", {}),
        lambda it: registry.rotate(it, "shop", "key"),
        lambda it: registry.retire(it, "shop"),
        lambda it: registry.remove(it, "shop"),
        lambda it: registry.enable(it, "shop", enabled=False),
    ],
)
def test_change_of_an_unknown_source_is_refused(change: Any) -> None:
    with pytest.raises(UnknownSourceError):
        change(content())


def test_numbers_are_bounded() -> None:
    full: registry.Content = {"sources": [], "suppressed": []}
    for number in range(registry.MAX_SOURCES):
        full = registry.create(full, f"source-{number}", {}, f"key-{number}")
    with pytest.raises(ConflictError, match="maximum"):
        registry.create(full, "another", {}, "key")
    persons = [f"{number:016}" for number in range(registry.MAX_SUPPRESSED)]
    full |= {"suppressed": persons}
    assert len(registry.suppress(full, persons[0])["suppressed"]) == registry.MAX_SUPPRESSED
    with pytest.raises(ConflictError, match="maximum"):
        registry.suppress(full, "another")
    paths = [f"properties.{'x' * 100}{number}" for number in range(2_000)]
    with pytest.raises(ConflictError, match="exceed"):
        registry.configure(full, "source-1", {"privacy": {"drop": paths}})


def test_every_change_keeps_the_suppressed_persons() -> None:
    listed = registry.suppress(content(), "person")
    listed = registry.create(listed, "shop", {}, "key-1")
    listed = registry.rotate(listed, "shop", "key-2")
    listed = registry.retire(listed, "shop")
    listed = registry.enable(listed, "shop", enabled=False)
    listed = registry.configure(listed, "shop", {"origins": ["null"]})
    listed = registry.remove(listed, "shop")
    listed = registry.merge_deployed(listed, [PORTAL])
    assert listed["suppressed"] == ["person"]
    assert registry.release(listed, "person")["suppressed"] == []


def test_summary_names_no_key_and_no_person() -> None:
    listed = registry.suppress(content(), "a-person-mark")
    summary = registry.summary(listed)
    assert summary["suppressed"] == 1
    assert summary["sources"] == [
        {
            "id": "portal",
            "enabled": True,
            "keys": 1,
            "deployed": True,
            "changed": False,
            "settings": {"privacy": {"ip": "drop"}},
        }
    ]


_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "origins": st.lists(st.sampled_from(["null", "https://a.example"]), max_size=2),
        "limits": st.fixed_dictionaries({"batch_events": st.integers(1, 5_000)}),
        "rate_limit": st.none() | st.fixed_dictionaries({"events_per_second": st.integers(1, 9)}),
    },
)


@given(st.lists(st.tuples(st.sampled_from("abc"), _SETTINGS), max_size=12))
def test_collector_accepts_every_content_that_requests_produce(steps: list[Any]) -> None:
    published: registry.Content = {"sources": [], "suppressed": []}
    for number, (name, settings) in enumerate(steps):
        if name in ids(published):
            published = registry.configure(published, name, settings)
        else:
            published = registry.create(published, name, settings, f"key-{number}")
    assert len(parse_published(published["sources"])) == len({name for name, _ in steps})
