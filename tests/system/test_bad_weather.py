"""All SDKs at once while Kinesis throttles, a region is down, or all are: what was accepted is
in the lakes exactly once, and nothing that has its answer is sent again."""

import json
import threading
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import LONDON
from tests.system.sdks import senders
from tests.system.sdks.recorder import Recorder, recording
from tests.system.test_journey import rows, stored
from tools.dev import system

pytestmark = pytest.mark.integration

EVENTS = 24
PAUSE_S = 0.25
#: Seconds for which no region takes anything.
DARK_S = 3.0

type Rule = dict[str, str]

THROTTLED: Rule = {"kind": "throttled", "operation": "PutRecords", "share": "0.6"}
HOME_DOWN: Rule = {"kind": "refused", "region": "us-east-1"}
ALL_DOWN: Rule = {"kind": "refused"}


def switch(running: system.System, method: str, rule: Rule) -> Any:
    said = urllib.parse.urlencode({"service": "kinesis", **rule})
    url = f"{running.place.endpoint}/_local/faults?{said}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as it:
        return json.load(it)


@contextmanager
def weather(running: system.System, rule: Rule, seconds: float | None) -> Iterator[None]:
    """Kinesis fails for functions as the rule says: for some seconds, or as long as the block."""
    switch(running, "POST", rule)
    timer = threading.Timer(seconds or 0, switch, (running, "DELETE", {}))
    if seconds:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        switch(running, "DELETE", {})


def send_all(sdks: dict[str, senders.Sender], url: str, key: str) -> dict[str, str]:
    """Let every SDK send at the same time; return {visitor: SDK}."""
    visitors = {str(uuid.uuid4()): name for name in sdks}
    with ThreadPoolExecutor(len(sdks)) as pool:
        runs = [
            pool.submit(sdks[name], senders.Task(url, key, visitor, EVENTS, PAUSE_S))
            for visitor, name in visitors.items()
        ]
    for run in runs:
        run.result()
    return visitors


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [(THROTTLED, None), (HOME_DOWN, None), (ALL_DOWN, DARK_S)],
    ids=["throttled", "the nearest region down", "every region down, and back"],
)
def test_what_an_sdk_was_told_is_true(
    rule: Rule,
    seconds: float | None,
    sdks: dict[str, senders.Sender],
    regions: system.System,
    tmp_path: Path,
) -> None:
    with recording(regions.url) as recorder, weather(regions, rule, seconds):
        visitors = send_all(sdks, recorder.url, regions.deployed.write_key)
        if seconds is None:
            (counted,) = switch(regions, "GET", {})
            assert counted["acted"] > 0
    accepted = recorder.accepted()
    assert recorder.sent_after_an_end() == []
    check_refusals(recorder, anywhere=rule is ALL_DOWN)
    told = Counter(visitors[visitor] for visitor in accepted.values())
    # Each gets through in the end, and where something takes its events all of them do.
    assert told.keys() == set(sdks)
    if rule is not ALL_DOWN:
        assert set(told.values()) == {EVENTS}

    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    ours = f"anonymous_id IN ({', '.join(repr(it) for it in visitors)})"
    lake = f"meridian-{regions.place.stage}-lake-000000000000-{LONDON}"
    moved = stored(regions, ours, len(accepted) if rule is HOME_DOWN else 0, away, lake)
    found = stored(regions, ours, len(accepted) - len(moved), home)
    moved = rows(regions, ours, away, lake)
    good = Counter(row["message_id"] for row in [*found, *moved] if row["verdict"] == "good")
    assert {it: good[it] for it in accepted if good[it] != 1} == {}
    assert {it: times for it, times in good.items() if times > 1} == {}
    if rule is HOME_DOWN:
        assert len(moved) == len(accepted)
        assert all(row["failover"] for row in moved)


def check_refusals(recorder: Recorder, *, anywhere: bool) -> None:
    """503 only where no region takes anything, and it says when to come back."""
    refused = [it for it in recorder.exchanges if it.status != 200]
    assert {it.status for it in refused} <= {503}
    assert all(it.retry_after for it in refused)
    if anywhere:
        assert refused
