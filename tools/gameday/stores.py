"""Read what a running system has stored: lakes, tables, users and emails."""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb

from aws_emulator.errors import CommandError
from tools.dev.draining import wait_until_drained
from tools.dev.system import System
from tools.gameday.answers import Ledger
from tools.gameday.checks import Stored
from tools.gameday.emails import sent_emails
from tools.gameday.loss import keys_in
from tools.paths import ROOT
from tools.stack import StackTarget, describe_stack

DRAIN_TIMEOUT_S: Final = 120.0
SIGN_UP_TIMEOUT_S: Final = 120.0
#: The view of the lake; it also reads compacted hours, which the lake of a day doesn't have.
_ONCE: Final = ROOT / "lake" / "views" / "events_once.sql"


class Stores:
    """The stores of a running system."""

    def __init__(self, running: System, run: str) -> None:
        self._running = running
        self._run = run

    def wait_until_drained(self) -> None:
        """Wait until the functions of every Region have processed all records.

        Raises:
            CommandError: They didn't in time.
        """
        if wait_until_drained(self._running, DRAIN_TIMEOUT_S):
            return
        raise CommandError(
            f"The streams still have records {DRAIN_TIMEOUT_S:.0f} s after the last act."
        )

    def wait_for_accounts(self, ledger: Ledger) -> None:
        """Wait until each accepted sign-up has an account; the check says which one has none."""
        deadline = time.monotonic() + SIGN_UP_TIMEOUT_S
        while time.monotonic() < deadline:
            users = self._users()
            if all(users.get(it) for it in ledger.sign_ups):
                return
            time.sleep(1)

    def read(self, ledger: Ledger, directory: Path) -> Stored:
        """Read every store."""
        stage = self._running.target.stage
        regions = self._running.regions
        home = regions[0]
        appointments = {it: self._scan(it, f"meridian-{stage}-appointments") for it in regions}
        profiles = {it: self._scan(it, f"meridian-{stage}-profiles") for it in regions}
        return Stored(
            lakes={it: self._events(it, directory / f"lake-{it}") for it in regions},
            bookings={it: _bookings(items) for it, items in appointments.items()},
            users=self._users(),
            emails=self._emails(ledger),
            advisors=frozenset(
                str(it["sk"]["S"]).removeprefix("ADVISOR#")
                for it in appointments[home]
                if str(it["pk"]["S"]) == "ADVISORS"
            ),
            profiles={it: _profiles(items) for it, items in profiles.items()},
            pages={it: keys_in(self._running, it) for it in regions},
        )

    def _events(self, region: str, folder: Path) -> dict[str, int]:
        """Return the day's message ids in a Region's lake with the rows of `events_once`."""
        target = StackTarget(self._running.target.endpoint, region, self._running.target.stage)
        bucket = describe_stack(target).outputs["LakeBucket"]
        s3 = self._running.clients("s3", region)
        folder.mkdir(parents=True, exist_ok=True)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/")
        keys = [it["Key"] for page in pages for it in page.get("Contents", [])]
        if not keys:
            return {}
        for key in keys:
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        connection = duckdb.connect()
        try:
            connection.execute("SET TimeZone = 'UTC'; SET threads = 2")
            connection.execute(
                "CREATE TABLE events AS SELECT * FROM read_parquet($1, union_by_name = true, "
                "filename = true, hive_partitioning = true, hive_types_autocast = false)",
                [str(folder / "events" / "**" / "*.parquet")],
            )
            connection.execute(
                "CREATE VIEW events_compacted AS SELECT *, 0 AS hour_rows FROM events WHERE false"
            )
            connection.execute(_ONCE.read_text())
            rows = connection.execute(
                "SELECT message_id, count(*) FROM events_once WHERE message_id LIKE $1 GROUP BY 1",
                [f"{self._run}-%"],
            ).fetchall()
        finally:
            connection.close()
        return {str(message): int(count) for message, count in rows}

    def _scan(self, region: str, table: str) -> list[dict[str, Any]]:
        dynamodb = self._running.clients("dynamodb", region)
        pages = dynamodb.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def _users(self) -> dict[str, int]:
        cognito = self._running.clients("cognito-idp", self._running.regions[0])
        pool = self._running.deployed.outputs["UserPoolId"]
        pages = cognito.get_paginator("list_users").paginate(UserPoolId=pool)
        addresses = [
            str(attribute["Value"])
            for page in pages
            for user in page["Users"]
            for attribute in user["Attributes"]
            if attribute["Name"] == "email"
        ]
        return dict(Counter(addresses))

    def _emails(self, ledger: Ledger) -> dict[str, Mapping[str, int]]:
        kinds: dict[str, Counter[str]] = defaultdict(Counter)
        for email in sent_emails(self._running.target.endpoint):
            for address in email["To"]:
                if address in ledger.sign_ups:
                    kinds[address][str(email.get("Subject", ""))] += 1
        return dict(kinds)


def _bookings(items: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    booked = {}
    for item in items:
        advisor, slot = str(item["pk"]["S"]), str(item["sk"]["S"])
        if advisor.startswith("ADVISOR#") and slot.startswith("SLOT#") and "student" in item:
            key = (advisor.removeprefix("ADVISOR#"), slot.removeprefix("SLOT#"))
            booked[key] = str(item["student"]["S"])
    return booked


def _profiles(items: list[dict[str, Any]]) -> dict[str, str]:
    return {
        str(it["pk"]["S"]).removeprefix("STUDENT#"): str(it["preferences"]["S"])
        for it in items
        if "preferences" in it
    }
