"""Tests for `handler`: settings from the package, the sample events, and the init phase."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import clickstream
from edge_ingest import handler
from edge_ingest.kinesis import KinesisClient
from tests.support.sdk_paths import PATHS_OF_OTHER_SDKS
from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.http_server import Network, acknowledge

ROOT = Path(__file__).resolve().parents[3]
EVENTS = {path.stem: path for path in sorted((ROOT / "events" / "edge_ingest").iterdir())}
OUTCOMES = {
    "batch": ("200", 2),
    "track": ("200", 1),
    "pixel": ("200", 1),
    "preflight": ("200", 0),
    "project-settings": ("200", 0),
    "unknown-key": ("401", 0),
}


class Context:
    """A Lambda context with five seconds left."""

    def get_remaining_time_in_millis(self) -> int:
        return 5_000


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty folder for `settings.json`, with the cached collector cleared."""
    monkeypatch.setattr(handler, "_SETTINGS_FILE", str(tmp_path / "settings.json"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    handler.collector.cache_clear()
    yield tmp_path
    handler.collector.cache_clear()


def write_settings(package: Path) -> None:
    document = harness.settings_document()
    document["sources"][0]["write_key"] = "a-write-key"
    (package / "settings.json").write_text(json.dumps(document))


def test_every_sample_event_has_an_expected_outcome() -> None:
    assert set(EVENTS) == set(OUTCOMES)


@pytest.mark.parametrize("case", sorted(OUTCOMES))
def test_sample_event_gets_its_expected_response(
    case: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(package)
    streams = harness.Streams()
    monkeypatch.setattr(KinesisClient, "put_records", staticmethod(streams.put_records))
    result = handler.lambda_handler(json.loads(EVENTS[case].read_text()), Context())
    status, accepted = OUTCOMES[case]
    assert result["status"] == status
    assert sum(len(record.accepted) for record in streams.records) == accepted


def test_handler_puts_batch_over_http_and_caches_collector(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(package)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    network = Network(acknowledge(1))
    monkeypatch.setattr("edge_ingest.tls.Connector.__call__", lambda _, *args: network(*args))
    result = handler.lambda_handler(json.loads(EVENTS["batch"].read_text()), Context())
    network.close()
    assert json.loads(result["body"]) == {"success": True, "accepted": 2, "rejected": []}
    assert handler.collector() is handler.collector()


@pytest.mark.parametrize("text", [None, "{", "{}", "\udcff"])
def test_503_has_retry_after_when_settings_are_missing_or_invalid(
    text: str | None, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (package / "settings.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    result: dict[str, Any] = handler.lambda_handler(
        json.loads(EVENTS["batch"].read_text()), Context()
    )
    harness.assert_valid_response(result)
    assert (result["status"], harness.header(result, "retry-after")) == ("503", "30")
    assert json.loads(result["body"])["code"] == "unavailable"
    assert json.loads(capsys.readouterr().out)["code"] == "settings"
    write_settings(package)
    handler.collector()


@pytest.mark.parametrize("runtime", [False, True])
def test_import_warms_up_only_in_the_lambda_runtime(tmp_path: Path, runtime: bool) -> None:
    """The warm-up creates the TLS context and reads the crawler list."""
    program = (
        "import sys; from edge_ingest import crawlers, handler, tls;"
        "print(crawlers.load.cache_info().currsize, tls.ssl_context.cache_info().currsize,"
        "'ssl' in sys.modules)"
    )
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{Path(clickstream.__file__).parent.parent}"}
    if runtime:
        environment["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:9001"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True, env=environment
    )
    assert out.stdout.split() == (["1", "1", "True"] if runtime else ["0", "0", "False"])


def test_cold_start_imports_no_slow_module() -> None:
    """hashlib, hmac and the IDNA codec would take a tenth of a cold start's time."""
    program = (
        "import sys; from edge_ingest import handler, tls; from edge_ingest.http_client import *\n"
        "try: tls.Connector()(Endpoint(tls=False, host='127.0.0.1', port=1), 1)\n"
        "except OSError: print([m for m in ('hashlib', 'hmac', 'encodings.idna', 'http.client')"
        " if m in sys.modules])"
    )
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{Path(msgspec.__file__).parent.parent}"}
    out = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        check=True,
        text=True,
        env=environment,
    )
    assert out.stdout.split() == ["[]"]


def test_request_for_a_page_goes_on_to_the_origin_without_settings(package: Path) -> None:
    """Pages don't depend on the collector's settings."""
    for method in ("GET", "HEAD"):
        event = harness.request(method, "/index.html", key=None)
        assert handler.lambda_handler(event, Context()) == event["Records"][0]["cf"]["request"]


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("path", PATHS_OF_OTHER_SDKS)
def test_event_of_another_sdk_gets_a_json_refusal(method: str, path: str, package: Path) -> None:
    write_settings(package)
    result = handler.lambda_handler(harness.request(method, path, key=None), Context())
    harness.assert_valid_response(result)
    assert (result["status"], harness.header(result, "content-type")) == ("404", "application/json")
    assert json.loads(result["body"])["code"] == "not_found"
    assert harness.header(result, "access-control-allow-origin") == "*"
