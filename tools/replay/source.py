"""Where the traffic comes from: the user's log, the public log, or a model of it.

The public log is 10,000 real requests to a personal site in May 2015, published by Elastic
(github.com/elastic/examples, Apache-2.0). It holds the addresses of real people, so it is never
part of the repository, and nothing that is made from it keeps an address.
"""

import gzip
import hashlib
import itertools
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError
from tools.progress import Step, step
from tools.replay import combined, model

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".meridian" / "cache"
SHARED = ROOT.parent / "shared" / "data" / "apache_logs_semicomplete_10000.log"
PUBLIC_URL = (
    "https://raw.githubusercontent.com/elastic/examples/6d86454ebb7a850bcd7e80abe86fe683370018a6"
    "/Common%20Data%20Formats/apache_logs/apache_logs"
)
PUBLIC_SHA256 = "f15c31e905f86c7b4b6ab44aee74d0a2086dce89f010187d983edea7ef0364ef"

#: Seconds to wait for a connection and for each part: offline is decided quickly.
DOWNLOAD_TIMEOUT_S = 10.0
_CHUNK = 1 << 16
#: Lines from which the site's own address is guessed.
_SAMPLE = 10_000


@dataclass(frozen=True)
class Source:
    """A log that is ready to be read.

    `kind` is "own", "public" or "model"; `label` says in words where it came from. `digest` is
    the SHA-256 of the uncompressed log, `lines` its count of lines, `site` scheme and host of the
    site that wrote it.
    """

    kind: str
    label: str
    path: Path
    digest: str
    lines: int
    site: str

    def open(self) -> Iterator[bytes]:
        """Yield the log's lines."""
        with _open(self.path) as file:
            yield from file


def find(log: str | None = None) -> Source:
    """Return the log that is to be replayed.

    `log` is a path or an address (http, https, file), compressed by gzip or not; without it the
    public log is looked for beside the repository, in the cache and at its public address, and
    the model is the last resort. Raises CommandError if `log` is given and cannot be read.
    """
    if log:
        path = _download(log, CACHE / _name_of(log)) if "://" in log else Path(log).expanduser()
        return _survey("own", f"your log ({path.name if '://' not in log else _host(log)})", path)
    if sha256(SHARED) == PUBLIC_SHA256:
        return _survey("public", "the public log, from the shared folder", SHARED)
    cached = CACHE / f"public-{PUBLIC_SHA256[:12]}.log"
    if sha256(cached) == PUBLIC_SHA256:
        return _survey("public", "the public log, downloaded before", cached)
    why = _fetch_public(cached)
    if why is None:
        return _survey("public", "the public log, downloaded now", cached)
    print(f"  {why} A model of it is replayed instead.", flush=True)
    return modelled()


def modelled(
    seed: int = model.SEED, requests: int = model.REQUESTS, cache: Path | None = None
) -> Source:
    """Return a school day drawn from the figures of the public log."""
    path = (cache or CACHE) / f"model-{seed}-{requests}.log"
    _write(path, "".join(model.day(model.load(), seed=seed, requests=requests)).encode())
    return _survey("model", f"a model of a school day (seed {seed})", path, model.SITE)


def _fetch_public(target: Path) -> str | None:
    """Download the public log; return the sentence that says why there is none."""
    try:
        _download(PUBLIC_URL, target)
    except CommandError as error:
        return str(error)
    if sha256(target) == PUBLIC_SHA256:
        return None
    target.unlink()
    return "What lies at the public log's address is not the log that it was (SHA-256 differs)."


def _download(url: str, target: Path) -> Path:
    if urlsplit(url).scheme not in {"http", "https", "file"}:
        raise CommandError(
            f"The log at {_host(url)} cannot be read: give a path, http://, https:// or file://."
        )
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer:
            size = int(answer.headers.get("Content-Length") or 0) or None
            with step("downloading the log", size) as progress:
                _write(target, _chunks(answer, progress))
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        raise CommandError(f"The log at {_host(url)} cannot be downloaded ({reason}).") from error
    return target


def _chunks(answer: IO[bytes], progress: Step) -> Iterator[bytes]:
    while chunk := answer.read(_CHUNK):
        progress.advance(len(chunk))
        yield chunk
    # Read by parts, an answer that breaks off looks like one that ends.
    if progress.total is not None and progress.done != progress.total:
        raise OSError(f"only {progress.done:,} of {progress.total:,} bytes arrived")


def _write(target: Path, content: bytes | Iterator[bytes]) -> None:
    """Write a whole file or none: a broken download leaves nothing that looks like a log."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with partial.open("wb") as file:
        file.writelines([content] if isinstance(content, bytes) else content)
    partial.replace(target)


def _survey(kind: str, label: str, path: Path, site: str | None = None) -> Source:
    """Read the log once: its digest, its length, and whether it is a log at all."""
    digest, lines = hashlib.sha256(), 0
    try:
        with _open(path) as file:
            for line in file:
                digest.update(line)
                lines += 1
        with _open(path) as file:
            sample = [combined.parse(line) for line in itertools.islice(file, _SAMPLE)]
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"The log {path.name} cannot be read: {reason}.") from error
    requests = [entry for entry in sample if isinstance(entry, combined.Request)]
    if not requests:
        reasons = Counter(entry.reason for entry in sample if isinstance(entry, combined.BadLine))
        why = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(3)) or "empty"
        raise CommandError(f"{path.name} is no access log in Combined Log Format ({why}).")
    return Source(kind, label, path, digest.hexdigest(), lines, site or _site(requests))


def _site(requests: list[combined.Request]) -> str:
    """Guess the site's own address: most of a site's referrers are its own pages."""
    hosts = Counter(
        "/".join(request.referrer.split("/", 3)[:3])
        for request in requests
        if request.referrer and request.referrer.startswith(("http://", "https://"))
    )
    return hosts.most_common(1)[0][0] if hosts else "http://localhost"


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"  # RFC 1952 §2.3.1, whatever the file is called
    return cast("IO[bytes]", gzip.open(path)) if compressed else path.open("rb")


def sha256(path: Path) -> str | None:
    """Return the digest of a file in hexadecimal, None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _name_of(url: str) -> str:
    return f"own-{hashlib.sha256(url.encode()).hexdigest()[:16]}.log"


def _host(url: str) -> str:
    # An address may hold a password or a signature: only its host is ever shown.
    return urlsplit(url).hostname or urlsplit(url).path.rsplit("/", 1)[-1]
