"""A log is found, or said in one sentence why not."""

import gzip
import hashlib
from pathlib import Path
from urllib.request import urlopen

import pytest

from aws_emulator.errors import CommandError
from tools.replay import source

LOG = (
    b'192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 42 '
    b'"http://school.example/x" "agent"\n'
) * 3 + b"junk\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a shared folder nor a cache of this machine."""
    monkeypatch.setattr(source, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(source, "SHARED", tmp_path / "shared.log")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(LOG)
    return path


def publish(monkeypatch: pytest.MonkeyPatch, path: Path, content: bytes = LOG) -> None:
    """Let `path` be the public log's address, and `content` what it is known to be."""
    monkeypatch.setattr(source, "PUBLIC_URL", path.as_uri())
    monkeypatch.setattr(source, "PUBLIC_SHA256", hashlib.sha256(content).hexdigest())


def check(found: source.Source, kind: str) -> None:
    assert found.kind == kind
    assert found.digest == hashlib.sha256(LOG).hexdigest()
    assert found.lines == 4
    assert found.site == "http://school.example"
    assert b"".join(found.open()) == LOG


def test_a_path(log: Path) -> None:
    check(source.find(str(log)), "own")


def test_a_compressed_path_whatever_its_name(log: Path) -> None:
    log.write_bytes(gzip.compress(LOG))
    check(source.find(str(log)), "own")


def test_an_address(log: Path) -> None:
    log.write_bytes(gzip.compress(LOG))
    check(source.find(log.as_uri()), "own")


@pytest.mark.parametrize("scheme", ["ftp://user:secret@host.example", "file://"])
def test_an_address_is_never_shown_with_its_secrets(scheme: str) -> None:
    with pytest.raises(CommandError, match=r"The log at (host.example|access.log)") as failure:
        source.find(f"{scheme}/access.log?signature=secret")
    assert "secret" not in str(failure.value)


def test_an_answer_that_breaks_off_is_no_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = urlopen(log.as_uri())
    whole.headers.replace_header("Content-Length", str(len(LOG) + 1))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: whole)

    with pytest.raises(CommandError, match=r"only .* bytes arrived"):
        source.find(log.as_uri())
    assert not list(source.CACHE.glob("*.log"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.log", None, "cannot be read: No such file"),
        (".", None, "cannot be read: Is a directory"),
        ("empty.log", b"", r"no access log in Combined Log Format \(empty\)"),
        ("other.log", b"a\nb\n", r"no access log .* \(client 2\)"),
        ("cut.gz", gzip.compress(LOG)[:-9], "cannot be read"),
        ("bad.gz", b"\x1f\x8bjunk", "cannot be read"),
    ],
)
def test_what_is_no_log(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=sentence):
        source.find(str(path))


def test_an_address_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be downloaded"):
        source.find((tmp_path / "nothing.log").as_uri())


def test_the_public_log_from_the_shared_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, tmp_path / "unreachable")
    (tmp_path / "shared.log").write_bytes(LOG)
    check(source.find(), "public")


def test_the_public_log_is_downloaded_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, log)
    first = source.find()
    log.unlink()
    again = source.find()

    check(first, "public")
    check(again, "public")
    assert (first.label, again.label) == (
        "the public log, downloaded now",
        "the public log, downloaded before",
    )


def test_another_shared_file_is_not_believed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, log)
    source.SHARED.write_bytes(LOG + b"more\n")
    assert source.find().label == "the public log, downloaded now"


@pytest.mark.parametrize("reachable", [True, False])
def test_without_the_public_log_it_is_a_model(
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    reachable: bool,
) -> None:
    publish(monkeypatch, log, b"what it was")
    if not reachable:
        log.unlink()
    found = source.find()

    assert found.kind == "model"
    assert found.lines == 10_000
    said = capsys.readouterr().out
    assert ("SHA-256 differs" if reachable else "cannot be downloaded") in said
    # A download that was not what it should be leaves nothing behind.
    assert [path.name for path in source.CACHE.iterdir()] == [found.path.name]
