"""Find the access log to replay: the user's log, the public log, or a modelled school day.

The public log has 10,000 real requests to a personal site in May 2015, published by Elastic
(github.com/elastic/examples, Apache-2.0). It contains IP addresses of real people, so it is not in
the repository, and no file derived from it contains an address.
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
from typing import IO, Final, cast
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError
from tools.paths import ROOT
from tools.progress import Step, step
from tools.replay import log_formats, traffic_model
from tools.replay.combined_log_format import Request
from tools.replay.log_formats import LogFormat

CACHE: Final = ROOT / ".meridian" / "cache"
SHARED: Final = ROOT.parent / "shared" / "data" / "apache_logs_semicomplete_10000.log"
PUBLIC_URL: Final = (
    "https://raw.githubusercontent.com/elastic/examples/6d86454ebb7a850bcd7e80abe86fe683370018a6"
    "/Common%20Data%20Formats/apache_logs/apache_logs"
)
PUBLIC_SHA256: Final = "f15c31e905f86c7b4b6ab44aee74d0a2086dce89f010187d983edea7ef0364ef"

#: For the connection and for each read; short, so that an offline machine gets the model soon.
DOWNLOAD_TIMEOUT_S: Final = 10.0
_CHUNK_BYTES: Final = 1 << 16
#: Lines that are parsed to check the format and to find the logged site.
_SAMPLE_LINES: Final = 10_000


@dataclass(frozen=True)
class LogSource:
    """An access log that is ready to read.

    `kind` is "own", "public" or "model"; `label` describes it. `digest` is the SHA-256 of the
    uncompressed log, `lines` its number of lines without comments, `site` the scheme and host of
    the logged site.
    """

    kind: str
    label: str
    path: Path
    digest: str
    lines: int
    site: str
    log_format: LogFormat

    def open(self) -> Iterator[bytes]:
        """Yield the log's lines."""
        with _open(self.path) as file:
            yield from file


def find_log(log: str | None = None) -> LogSource:
    """Return the log to replay.

    `log` is a path or a URL (http, https, file), optionally gzip-compressed. Without it, the
    function tries the public log in the shared folder, the cache and the internet, then the model.

    Raises:
        CommandError: `log` can't be read.
    """
    if log:
        path = _download(log, CACHE / _name_of(log)) if "://" in log else Path(log).expanduser()
        return _survey("own", f"your log ({path.name if '://' not in log else _host(log)})", path)
    if sha256(SHARED) == PUBLIC_SHA256:
        return _survey("public", "the public log from the shared folder", SHARED)
    cached = CACHE / f"public-{PUBLIC_SHA256[:12]}.log"
    if sha256(cached) == PUBLIC_SHA256:
        return _survey("public", "the public log from the cache", cached)
    why = _fetch_public(cached)
    if why is None:
        return _survey("public", "the public log, downloaded", cached)
    print(f"  {why} Replaying the modelled school day instead.", flush=True)
    return modelled_log()


def modelled_log(
    seed: int = traffic_model.SEED,
    requests: int = traffic_model.REQUESTS,
    cache: Path | None = None,
) -> LogSource:
    """Return the log of a school day, generated from the statistics of the public log.

    Raises:
        CommandError: The statistics can't be read, or the log can't be written.
    """
    lines = traffic_model.generate_log(
        traffic_model.load_statistics(), seed=seed, requests=requests
    )
    path = (cache or CACHE) / f"model-{seed}-{requests}.log"
    _write(path, "".join(lines).encode())
    return _survey("model", f"a model of a school day (seed {seed})", path, traffic_model.SITE)


def _fetch_public(target: Path) -> str | None:
    """Download the public log. Returns the error message if that fails."""
    try:
        _download(PUBLIC_URL, target)
    except CommandError as error:
        return str(error)
    if sha256(target) == PUBLIC_SHA256:
        return None
    target.unlink()
    return "The file at the public log's URL has another SHA-256 than expected."


def _download(url: str, target: Path) -> Path:
    if urlsplit(url).scheme not in {"http", "https", "file"}:
        raise CommandError(
            f"Can't read the log at {_host(url)}. Use a path, http://, https:// or file://."
        )
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer:
            size = int(answer.headers.get("Content-Length") or 0) or None
            with step("downloading the log", size) as progress:
                _write(target, _chunks(answer, progress))
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        raise CommandError(
            f"Can't download the log at {_host(url)}: {reason}. Check the address, or use "
            "LOG=<path>."
        ) from error
    return target


def _chunks(answer: IO[bytes], progress: Step) -> Iterator[bytes]:
    while chunk := answer.read(_CHUNK_BYTES):
        progress.advance(len(chunk))
        yield chunk
    # `read` with a size returns b"" at the end and also when the connection breaks.
    if progress.total is not None and progress.done != progress.total:
        raise OSError(f"only {progress.done:,} of {progress.total:,} bytes arrived")


def _write(target: Path, content: bytes | Iterator[bytes]) -> None:
    """Write the file atomically, so that an interrupted download leaves no partial log."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    with partial.open("wb") as file:
        file.writelines([content] if isinstance(content, bytes) else content)
    partial.replace(target)


def _survey(kind: str, label: str, path: Path, site: str | None = None) -> LogSource:
    """Read the log: detect its format, compute its digest and count its lines.

    Raises:
        CommandError: The log can't be read, or has an unknown format.
    """
    digest, lines = hashlib.sha256(), 0
    try:
        with _open(path) as file:
            sample = list(itertools.islice(file, _SAMPLE_LINES))
        log_format, requests = log_formats.detect(sample, path.name)
        with _open(path) as file:
            for line in file:
                digest.update(line)
                lines += not log_format.is_comment(line)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"Can't read the log {path.name}: {reason}. Check the path in LOG=."
        ) from error
    if kind == "own":
        label = f"{label}, {log_format.name}"
    return LogSource(
        kind, label, path, digest.hexdigest(), lines, site or _site(requests), log_format
    )


def _site(requests: list[Request]) -> str:
    """Return the site that most referrers name: a site's pages refer mostly to each other."""
    hosts = Counter(
        "/".join(request.referrer.split("/", 3)[:3])
        for request in requests
        if request.referrer and request.referrer.startswith(("http://", "https://"))
    )
    return hosts.most_common(1)[0][0] if hosts else "http://localhost"


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"  # RFC 1952 §2.3.1: the gzip magic number
    return cast("IO[bytes]", gzip.open(path)) if compressed else path.open("rb")


def sha256(path: Path) -> str | None:
    """Return the file's SHA-256 in hexadecimal, or None if the file can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _name_of(url: str) -> str:
    return f"own-{hashlib.sha256(url.encode()).hexdigest()[:16]}.log"


def _host(url: str) -> str:
    # A URL may contain a password or a signature, so messages show only its host.
    return urlsplit(url).hostname or urlsplit(url).path.rsplit("/", 1)[-1]
