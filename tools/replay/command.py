"""The replay command: find the log, send its page views, write the summary and the ledger."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from tools.progress import step
from tools.replay.access_check import check_access
from tools.replay.batches import batches
from tools.replay.combined_log_format import BadLine
from tools.replay.events import EventMaker, PageView
from tools.replay.http_client import Client, HttpClient
from tools.replay.ledger import Summary, ledger
from tools.replay.log_source import LogSource, find_log, modelled_log
from tools.replay.sender import Sender, make_clients
from tools.replay.timed_client import TimedClient

#: The value of LOG that selects the modelled school day.
MODEL: Final = "model"
SUMMARY: Final = "replay.json"


def connect(url: str) -> Client:
    """Return a client of the distribution at `url`.

    Raises:
        CommandError: `url` isn't a valid URL.
    """
    return HttpClient(url)


def page_views(
    source: LogSource, bad: Counter[str], salt: bytes | None = None
) -> Iterator[PageView]:
    """Yield the log's page views in order, and count invalid lines in `bad` by reason.

    Each run gives visitors new ids; with `salt` they are the same in every run.
    """
    salt = secrets.token_bytes(32) if salt is None else salt
    maker = EventMaker(site=source.site, digest=source.digest, salt=salt)
    for number, line in enumerate(source.open(), 1):
        entry = source.log_format.parse(line)
        if isinstance(entry, BadLine):
            bad[entry.reason] += 1
        elif entry is not None:
            yield maker.page_view(number, entry)


def replay(
    url: str,
    write_key: str,
    source: LogSource,
    *,
    clients: int,
    out: Path,
    make: Callable[[str], Client] | None = None,
) -> Summary:
    """Send the log's page views to the collector at `url`; write the ledger beside `out`.

    Raises:
        CommandError: The collector stopped answering, rejected the write key or accepted no event.
    """
    summary = Summary(
        source={"kind": source.kind, "label": source.label, "sha256": source.digest},
        clients=clients,
        lines=source.lines,
    )
    http_clients = make_clients(clients, lambda: TimedClient((make or connect)(url)))
    views = page_views(source, summary.bad_lines)
    with (
        ledger(out, summary) as rows,
        step("replaying the access log", source.lines) as progress,
    ):
        Sender(http_clients, write_key, rows, progress).run(batches(views), summary)
    for client in http_clients:
        for latency_ms, count in client.latencies_ms.items():
            summary.latencies_ms[str(latency_ms)] += count
    if not summary.accepted:
        codes = ", ".join(f"{code} {count:,}" for code, count in summary.rejected.items())
        raise CommandError(
            f"The collector accepted 0 of {summary.sent:,} events: {codes}. Compare the events "
            "with docs/sdks.md."
        )
    return summary


def choose_log(log: str | None) -> LogSource:
    """Return the log to replay, and print its name.

    `log` is a path, a URL, "model", or None for the public log.

    Raises:
        CommandError: The log can't be read, or has an unknown format.
    """
    source = modelled_log() if log == MODEL else find_log(log)
    print(f"  access log: {source.label}, {source.lines:,} lines", flush=True)
    return source


def run(
    *,
    url: str,
    write_key: str,
    source: LogSource,
    clients: int,
    tokens: Mapping[str, str],
    directory: Path,
) -> Summary:
    """Replay an access log, check access to paid pages, and write `replay.json`.

    `tokens` maps a user to a bearer token for `check_access`; an empty mapping skips that check.

    Raises:
        CommandError: The collector failed.
    """
    out = directory / SUMMARY
    summary = replay(url, write_key, source, clients=clients, out=out)
    if tokens:
        summary.access_checks = [row._asdict() for row in check_access(url, tokens, make=connect)]
    summary.write(out)
    return summary
