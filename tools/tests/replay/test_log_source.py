"""Finding the access log, and the errors for logs that can't be read."""

import gzip
import hashlib
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from aws_emulator.errors import CommandError
from tools.replay import log_source

LOG = (
    b'192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 42 '
    b'"http://school.example/x" "agent"\n'
) * 3 + b"junk\n"


@pytest.fixture(autouse=True)
def _isolated_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the shared folder and the cache with temporary ones."""
    monkeypatch.setattr(log_source, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(log_source, "SHARED", tmp_path / "shared.log")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "access.log"
    path.write_bytes(LOG)
    return path


def publish(monkeypatch: pytest.MonkeyPatch, path: Path, content: bytes = LOG) -> None:
    """Make `path` the public log's URL, and `content` its expected content."""
    monkeypatch.setattr(log_source, "PUBLIC_URL", path.as_uri())
    monkeypatch.setattr(log_source, "PUBLIC_SHA256", hashlib.sha256(content).hexdigest())


def check(source: log_source.LogSource, kind: str) -> None:
    assert source.kind == kind
    assert source.digest == hashlib.sha256(LOG).hexdigest()
    assert source.lines == 4
    assert source.site == "http://school.example"
    assert b"".join(source.open()) == LOG


def test_find_log_reads_a_path(log: Path) -> None:
    check(log_source.find_log(str(log)), "own")


def test_find_log_detects_gzip_by_content(log: Path) -> None:
    log.write_bytes(gzip.compress(LOG, mtime=0))
    check(log_source.find_log(str(log)), "own")


def test_find_log_downloads_a_url(log: Path) -> None:
    log.write_bytes(gzip.compress(LOG, mtime=0))
    check(log_source.find_log(log.as_uri()), "own")


@pytest.mark.parametrize("scheme", ["ftp://user:secret@host.example", "file://"])
def test_error_message_hides_the_secrets_of_a_url(scheme: str) -> None:
    with pytest.raises(CommandError, match=r"the log at (host.example|access.log)") as failure:
        log_source.find_log(f"{scheme}/access.log?signature=secret")
    assert "secret" not in str(failure.value)


def test_interrupted_download_raises_an_error(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = urlopen(log.as_uri())
    whole.headers.replace_header("Content-Length", str(len(LOG) + 1))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: whole)

    with pytest.raises(CommandError, match=r"only .* bytes arrived"):
        log_source.find_log(log.as_uri())
    assert not list(log_source.CACHE.glob("*.log"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.log", None, "Can't read the log none.log: No such file"),
        (".", None, "Can't read the log .*: Is a directory"),
        ("empty.log", b"", "is empty"),
        ("other.log", b"a\nb\n", "isn't an access log in a known format"),
        ("cut.gz", gzip.compress(LOG, mtime=0)[:-9], "Can't read the log"),
        ("bad.gz", b"\x1f\x8bjunk", "Can't read the log"),
    ],
)
def test_find_log_rejects_an_invalid_file(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        log_source.find_log(str(path))


def test_failed_download_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Can't download the log"):
        log_source.find_log((tmp_path / "nothing.log").as_uri())


def test_public_log_is_read_from_the_shared_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, tmp_path / "unreachable")
    (tmp_path / "shared.log").write_bytes(LOG)
    check(log_source.find_log(), "public")


def test_public_log_is_downloaded_once_and_cached(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, log)
    first = log_source.find_log()
    log.unlink()
    second = log_source.find_log()

    check(first, "public")
    check(second, "public")
    assert (first.label, second.label) == (
        "the public log, downloaded",
        "the public log from the cache",
    )


def test_shared_file_with_another_digest_is_ignored(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, log)
    log_source.SHARED.write_bytes(LOG + b"more\n")
    assert log_source.find_log().label == "the public log, downloaded"


@pytest.mark.parametrize("reachable", [True, False])
def test_model_replaces_an_unavailable_public_log(
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    reachable: bool,
) -> None:
    publish(monkeypatch, log, b"expected content")
    small = partial(log_source.modelled_log, requests=300)
    monkeypatch.setattr(log_source, "modelled_log", small)
    if not reachable:
        log.unlink()
    source = log_source.find_log()

    assert source.kind == "model"
    assert source.lines == 300
    output = capsys.readouterr().out
    assert ("another SHA-256" if reachable else "Can't download") in output
    # A download with another digest is deleted.
    assert [path.name for path in log_source.CACHE.iterdir()] == [source.path.name]
