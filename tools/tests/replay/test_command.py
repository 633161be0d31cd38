"""The replay command with a fake collector."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tools.replay import __main__ as program
from tools.replay import command, log_source
from tools.replay.access_check import PAYING
from tools.replay.http_client import Client, Response
from tools.replay.ledger import Summary
from tools.tests.replay.fake_collector import WRITE_KEY, FakeCollector

LINE = b'192.0.2.%d - - [17/May/2015:10:05:03 +0000] "GET /%d HTTP/1.1" 200 1 "-" "agent"\n'


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(log_source, "CACHE", tmp_path / "cache")
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(LINE % (n % 4, n) for n in range(30)) + b"junk\n\n")
    return path


class _FakeEdge:
    """A collector, and a page that only the token "paid" may read."""

    def __init__(self, collector: Client) -> None:
        self._collector = collector

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        if method == "POST":
            return self._collector.request(method, path, headers, body)
        return Response(200 if headers.get("Authorization") == "Bearer paid" else 401, None, b"")

    def close(self) -> None:
        pass


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> FakeCollector:
    collector = FakeCollector()
    make: Callable[[str], Client] = lambda url: _FakeEdge(collector.client(url))  # noqa: E731 - typed
    monkeypatch.setattr(command, "connect", make)
    return collector


def test_replay_sends_the_log_and_writes_the_summary(
    log: Path, collector: FakeCollector, tmp_path: Path
) -> None:
    summary = command.run(
        url="http://collector",
        write_key=WRITE_KEY,
        source=command.choose_log(str(log)),
        clients=3,
        tokens={PAYING: "paid"},
        directory=tmp_path / "out",
    )

    assert len(collector.events) == 30
    assert (summary.lines, summary.sent, summary.accepted) == (32, 30, 30)
    assert summary.bad_lines == {"client": 1, "blank": 1}
    assert [row["status"] for row in summary.access_checks] == [401, 200]
    assert summary.first_request <= summary.last_answer
    assert Summary.read(tmp_path / "out" / "replay.json") == summary
    written = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    assert "192.0.2." not in written
    assert "agent" not in written


def test_each_run_has_its_own_salt(log: Path, collector: FakeCollector, tmp_path: Path) -> None:
    for _ in range(2):
        program.main(["--url", "http://e", "--write-key", WRITE_KEY, "--log", str(log),
                      "--out", str(tmp_path / "out")])  # fmt: skip
    first, second = collector.events[:30], collector.events[30:]

    assert {e["messageId"] for e in first} == {e["messageId"] for e in second}
    assert not {e["anonymousId"] for e in first} & {e["anonymousId"] for e in second}


def test_command_line_prints_results_and_errors(
    log: Path, collector: FakeCollector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--url", "http://e", "--out", str(tmp_path / "out"), "--log"]

    assert program.main([*wanted, str(log), "--write-key", WRITE_KEY]) == 0
    assert "30 events in 4 requests" in capsys.readouterr().out
    assert program.main([*wanted, str(log), "--write-key", "wrong"]) == 1
    assert capsys.readouterr().err.startswith("error: The collector rejected the write key")
    assert program.main([*wanted, "/no/such.log", "--write-key", WRITE_KEY]) == 1
    assert capsys.readouterr().err == (
        "error: Can't read the log such.log: No such file or directory. Check the path in LOG=.\n"
    )


@pytest.mark.slow
def test_log_model_replays_the_modelled_day(
    collector: FakeCollector, tmp_path: Path, log: Path
) -> None:
    assert program.main(["--url", "http://e", "--write-key", WRITE_KEY, "--log", "model",
                         "--out", str(tmp_path / "out")]) == 0  # fmt: skip
    document = json.loads((tmp_path / "out" / "replay.json").read_text())
    assert document["source"]["kind"] == "model"
    assert document["accepted"] == len(collector.events) == 10_000
