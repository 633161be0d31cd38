"""The download of uv: index settings, checksums and messages, against an index in memory."""

import hashlib
import io
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tools.setup import uv_download


def wheel(content: bytes = b"#!/bin/sh\n") -> bytes:
    """Return a wheel that holds an executable called uv."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"uv-{uv_download.VERSION}.data/scripts/uv", content)
    return buffer.getvalue()


class Index:
    """Serves an index page and a wheel; records the requests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, content: bytes, *, listed: bool = True):
        self.requests: list[urllib.request.Request] = []
        self.name, _ = uv_download._wheel()
        self.page = f'<a href="../files/{self.name}#sha256=1">{self.name}</a>' if listed else ""
        self.content = content
        monkeypatch.setattr(urllib.request.OpenerDirector, "open", self.open)

    def open(self, request: Any, timeout: float = 0) -> io.BytesIO:
        self.requests.append(request)
        is_wheel = ".whl" in request.full_url
        return io.BytesIO(self.content if is_wheel else self.page.encode())


@pytest.fixture(autouse=True)
def _default_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(uv_download, "index_url", lambda _environment: "https://index.test/simple")


def pin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    name, _ = uv_download._wheel()
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(uv_download, "_wheel", lambda: (name, digest))


def test_install_writes_an_executable_from_the_pinned_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = wheel()
    index = Index(monkeypatch, content)
    pin(monkeypatch, content)
    target = uv_download.install(tmp_path / "bin" / "uv")
    assert target.read_bytes() == b"#!/bin/sh\n"
    assert target.stat().st_mode & 0o111 == 0o111
    assert [it.full_url for it in index.requests] == [
        "https://index.test/simple/uv/",
        f"https://index.test/simple/files/{index.name}#sha256=1",
    ]


def test_install_keeps_the_pinned_version_without_a_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = wheel()
    index = Index(monkeypatch, content)
    pin(monkeypatch, content)
    uv_download.install(tmp_path / "uv")
    before = len(index.requests)
    uv_download.install(tmp_path / "uv")
    assert len(index.requests) == before


def test_install_replaces_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = wheel(b"new")
    Index(monkeypatch, content)
    pin(monkeypatch, content)
    (tmp_path / "uv").write_bytes(b"old")
    (tmp_path / "uv.version").write_text("0.0.1")
    assert uv_download.install(tmp_path / "uv").read_bytes() == b"new"


def test_install_rejects_a_wheel_with_another_checksum(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Index(monkeypatch, wheel(b"other"))
    pin(monkeypatch, wheel())
    with pytest.raises(uv_download.DownloadError, match=r"SHA-256 .*, expected"):
        uv_download.install(tmp_path / "uv")
    assert list(tmp_path.iterdir()) == []


def test_install_reports_an_index_without_the_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Index(monkeypatch, wheel(), listed=False)
    with pytest.raises(uv_download.DownloadError, match=r"The index at index\.test has no uv-"):
        uv_download.install(tmp_path / "uv")


def test_install_reports_an_unreachable_index_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", fail)
    with pytest.raises(uv_download.DownloadError) as caught:
        uv_download.install(tmp_path / "uv")
    assert "index.test: Temporary failure in name resolution" in str(caught.value)
    assert "set UV_DEFAULT_INDEX" in str(caught.value)


def test_credentials_of_an_index_reach_neither_the_url_nor_a_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uv_download, "index_url", lambda _it: "https://me:s3cret@index.test/simple")
    index = Index(monkeypatch, wheel(), listed=False)
    with pytest.raises(uv_download.DownloadError) as caught:
        uv_download.install(tmp_path / "uv")
    assert "s3cret" not in str(caught.value)
    assert index.requests[0].full_url == "https://index.test/simple/uv/"
