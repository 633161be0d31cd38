"""The replay from end to end: find the log, send it, write down what became of it."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from aws_emulator.errors import CommandError
from tools.progress import step
from tools.replay.batches import batches
from tools.replay.combined import BadLine, parse
from tools.replay.events import EventMaker, PageView
from tools.replay.ledger import Summary, ledger
from tools.replay.send import Sender, clients_for
from tools.replay.signin import exercise
from tools.replay.source import Source, find, modelled
from tools.replay.transport import Client, HttpClient

#: The value of LOG that asks for the modelled day.
MODEL = "model"
SUMMARY = "replay.json"


def connect(url: str) -> Client:
    """Return a client of the edge at `url`."""
    return HttpClient(url)


def page_views(source: Source, bad: Counter[str], salt: bytes | None = None) -> Iterator[PageView]:
    """Yield the log's page views in order; count the lines that are none in `bad`.

    Visitors have ids of this run alone, unless a salt is given: then the same in each run.
    """
    salt = secrets.token_bytes(32) if salt is None else salt
    maker = EventMaker(site=source.site, digest=source.digest, salt=salt)
    for number, line in enumerate(source.open(), 1):
        entry = parse(line)
        if isinstance(entry, BadLine):
            bad[entry.reason] += 1
        else:
            yield maker.page_view(number, entry)


def replay(
    url: str,
    write_key: str,
    source: Source,
    *,
    clients: int,
    out: Path,
    make: Callable[[str], Client] | None = None,
) -> Summary:
    """Send the log's page views to the edge at `url`; write the ledger beside `out`.

    Raises CommandError when the edge is lost, refuses the write key or accepts nothing.
    """
    summary = Summary(
        source={"kind": source.kind, "label": source.label, "sha256": source.digest},
        clients=clients,
        lines=source.lines,
    )
    ends = clients_for(clients, lambda: (make or connect)(url))
    views = page_views(source, summary.bad_lines)
    with (
        ledger(out, summary) as book,
        step("replaying the traffic", source.lines) as progress,
    ):
        Sender(ends, write_key, book, progress).run(batches(views), summary)
    if not summary.accepted:
        codes = ", ".join(f"{code} {count:,}" for code, count in summary.rejected.items())
        raise CommandError(f"The edge accepted none of {summary.sent:,} events ({codes}).")
    return summary


def run(
    *,
    url: str,
    write_key: str,
    source: str | None,
    clients: int,
    tokens: Mapping[str, str],
    directory: Path,
) -> Summary:
    """Replay the log that `source` names, try to sign in, and write `replay.json`.

    `source` is a path or an address, "model", or None for the public log; `tokens` maps who signs
    in to a bearer token (see `signin.exercise`), none for no exercise. Raises CommandError.
    """
    found = modelled() if source == MODEL else find(source)
    print(f"  traffic: {found.label}, {found.lines:,} lines", flush=True)
    out = directory / SUMMARY
    summary = replay(url, write_key, found, clients=clients, out=out)
    if tokens:
        summary.sign_in = [row._asdict() for row in exercise(url, tokens, make=connect)]
    summary.write(out)
    return summary
