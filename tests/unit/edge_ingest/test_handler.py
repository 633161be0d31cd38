"""The function as the runtime calls it: settings from the package, events from `events/`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clickstream
from edge_ingest import handler
from edge_ingest.kinesis import Kinesis
from tests.unit.edge_ingest import edge
from tests.unit.edge_ingest.peer import Network, acknowledge

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
    """The runtime's word on the time that is left."""

    def get_remaining_time_in_millis(self) -> int:
        return 5_000


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for settings.json, and a handler that has not read any yet."""
    monkeypatch.setattr(handler, "_SETTINGS_FILE", str(tmp_path / "settings.json"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    handler.collector.cache_clear()
    yield tmp_path
    handler.collector.cache_clear()


def write_settings(package: Path) -> None:
    document = edge.document()
    document["sources"][0]["write_key"] = "a-write-key"
    (package / "settings.json").write_text(json.dumps(document))


def test_every_event_has_an_outcome() -> None:
    assert set(EVENTS) == set(OUTCOMES)


@pytest.mark.parametrize("case", sorted(OUTCOMES))
def test_the_events_of_sam_local_invoke(
    case: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_settings(package)
    streams = edge.Streams()
    monkeypatch.setattr(Kinesis, "put", staticmethod(streams.put))
    result = handler.lambda_handler(json.loads(EVENTS[case].read_text()), Context())
    status, accepted = OUTCOMES[case]
    assert result["status"] == status
    assert sum(len(record.accepted) for record in streams.records) == accepted


def test_from_the_event_to_the_wire(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(package)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    network = Network(acknowledge(1))
    monkeypatch.setattr("edge_ingest.tls.Dialler.__call__", lambda _, *args: network(*args))
    result = handler.lambda_handler(json.loads(EVENTS["batch"].read_text()), Context())
    network.end()
    assert json.loads(result["body"]) == {"success": True, "accepted": 2, "rejected": []}
    assert handler.collector() is handler.collector()


@pytest.mark.parametrize("text", [None, "{", "{}", "\udcff"])
def test_without_settings_every_request_is_told_to_come_back(
    text: str | None, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (package / "settings.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    result: dict[str, Any] = handler.lambda_handler(
        json.loads(EVENTS["batch"].read_text()), Context()
    )
    edge.assert_legal(result)
    assert (result["status"], edge.header(result, "retry-after")) == ("503", "30")
    assert json.loads(result["body"])["code"] == "unavailable"
    assert json.loads(capsys.readouterr().out)["code"] == "settings"
    write_settings(package)
    handler.collector()


@pytest.mark.parametrize("runtime", [False, True])
def test_what_costs_cpu_is_done_while_the_runtime_starts(tmp_path: Path, runtime: bool) -> None:
    """An import in the runtime makes the TLS context and reads the list; elsewhere it does not."""
    program = (
        "import sys; from edge_ingest import agents, handler, tls;"
        "print(agents.load.cache_info().currsize, tls.context.cache_info().currsize,"
        "'ssl' in sys.modules)"
    )
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{Path(clickstream.__file__).parent.parent}"}
    if runtime:
        environment["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:9001"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True, env=environment
    )
    assert out.stdout.split() == (["1", "1", "True"] if runtime else ["0", "0", "False"])
