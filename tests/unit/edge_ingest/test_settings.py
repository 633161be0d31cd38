"""Tests for `settings`: defaults, validation errors and imports."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_ingest import settings
from edge_ingest.errors import SettingsError
from tests.unit.edge_ingest import harness

SRC = Path(settings.__file__).resolve().parent.parent


def test_omitted_settings_have_documented_defaults() -> None:
    parsed = settings.parse(
        {
            "schema": 1,
            "stream": "meridian-prod-events",
            "regions": ["us-east-1"],
            "sources": [{"id": "portal", "write_key": "k"}],
        }
    )
    source = parsed.sources["k"]
    assert source.limits == settings.Limits(65_536, 4_194_304, 2_500)
    assert source.privacy.ip == "truncate"
    assert (source.privacy.gpc, source.privacy.dnt) == ("anonymise", "anonymise")
    assert source.cookie is None
    assert source.rate_limit is None
    assert parsed.log_sample == 0.01


def test_every_setting_is_parsed() -> None:
    parsed = settings.load(
        json.dumps(
            harness.settings_document(
                privacy={
                    "ip": "hash",
                    "gpc": "ignore",
                    "dnt": "ignore",
                    "drop": ["context.traits.email", "properties.*.secret"],
                    "hash": ["userId"],
                    "consent": {"categories": ["analytics"], "missing": "deny"},
                },
                rate_limit={"events_per_second": 2, "burst": 5},
                cookie={"enabled": True, "name": "v", "days": 30, "same_site": "None"},
            )
        )
    )
    source = parsed.sources[harness.WRITE_KEY]
    assert source.privacy.drop == (("context", "traits", "email"), ("properties", "*", "secret"))
    assert source.privacy.consent == settings.Consent(("analytics",), deny_missing=True)
    assert source.rate_limit == settings.RateLimit(2, 5)
    assert source.cookie == settings.Cookie("v", 30, "None")


def test_source_has_its_own_limits_before_the_common_ones() -> None:
    document = harness.settings_document(limits={"event_bytes": 7}) | {
        "limits": {"event_bytes": 8, "batch_bytes": 9}
    }
    parsed = settings.parse(document)
    assert parsed.sources[harness.WRITE_KEY].limits == settings.Limits(7, 9, 2_500)


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("schema", {"schema": 2}),
    ("stream", {"stream": ""}),
    ("stream", {"stream": "a stream"}),
    ("regions", {"regions": []}),
    ("regions[0]", {"regions": [7]}),
    ("regions", {"regions": ["us-east-1", "us-east-1"]}),
    ("sources", {"sources": []}),
    ("sources[0]", {"sources": ["portal"]}),
    ("settings.colour", {"colour": "blue"}),
    ("salt", {"salt": "short"}),
    ("log_sample", {"log_sample": 1.1}),
    ("log_sample", {"log_sample": True}),
    ("limits.batch_bytes", {"limits": {"batch_bytes": 4_194_305}}),
    ("limits.event_bytes", {"limits": {"event_bytes": 0}}),
    ("limits.colour", {"limits": {"colour": 1}}),
]
INVALID_SOURCE: list[tuple[str, dict[str, Any]]] = [
    ("sources[0].id", {"id": "a source"}),
    ("sources[0].write_key", {"write_key": "with:colon"}),
    ("sources[0].write_key", {"write_key": None}),
    ("sources[0].privacy.ip", {"privacy": {"ip": "keep"}}),
    ("sources[0].privacy.ips", {"privacy": {"ips": "drop"}}),
    ("sources[0].privacy.drop", {"privacy": {"drop": "email"}}),
    ("sources[0].privacy.drop[1]", {"privacy": {"drop": ["a.b", "a..b"]}}),
    ("sources[0].privacy.gpc", {"privacy": {"gpc": "sell"}}),
    ("sources[0].privacy.consent.missing", {"privacy": {"consent": {"missing": "maybe"}}}),
    ("sources[0].rate_limit.events_per_second", {"rate_limit": {"burst": 5}}),
    ("sources[0].cookie.enabled", {"cookie": {"enabled": "yes"}}),
    ("sources[0].cookie.days", {"cookie": {"enabled": True, "days": 401}}),
    ("sources[0].limits.event_bytes", {"limits": {"event_bytes": 300_000}}),
    ("sources[0].limits.events", {"limits": {"events": 1}}),
    ("sources[0].cookie.same_site", {"cookie": {"same_site": "Strict"}}),
]


@pytest.mark.parametrize(("key", "change"), INVALID)
def test_error_names_the_invalid_setting(key: str, change: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(harness.settings_document() | change)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")
    assert caught.value.code == "settings"


@pytest.mark.parametrize(("key", "change"), INVALID_SOURCE)
def test_error_names_the_invalid_setting_of_a_source(key: str, change: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(harness.settings_document(**change))
    assert caught.value.key == key


@pytest.mark.parametrize("change", [{"privacy": {"ip": "hash"}}, {"privacy": {"hash": ["userId"]}}])
def test_hashing_without_salt_is_an_error(change: dict[str, Any]) -> None:
    document = harness.settings_document(**change)
    settings.parse(document)
    del document["salt"]
    with pytest.raises(SettingsError) as caught:
        settings.parse(document)
    assert caught.value.key == "salt"


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("sources[1].write_key", {"id": "other", "write_key": harness.WRITE_KEY}),
        ("sources[1].id", {"id": "portal", "write_key": "other"}),
    ],
)
def test_source_with_used_id_or_key_is_an_error(key: str, other: dict[str, str]) -> None:
    document = harness.settings_document()
    document["sources"].append(other)
    with pytest.raises(SettingsError) as caught:
        settings.parse(document)
    assert caught.value.key == key


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": 1}'])
def test_invalid_document_is_an_error(text: str) -> None:
    with pytest.raises(SettingsError):
        settings.load(text)


def test_module_imports_only_standard_library() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import edge_ingest.settings;"
        "print([m for m in sys.modules if m.startswith(('msgspec', 'clickstream', 'edge_'))])"
    )
    out = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(SRC)],
        capture_output=True,
        check=True,
        text=True,
    )
    names = ["", ".errors", ".settings"]
    assert sorted(eval(out.stdout)) == [f"edge_ingest{name}" for name in names]
