"""`make failover TO=<Region>`: make another Region the home of the bookings, and print each step.

A person decides it: no Region can tell a lost one from one that it can't reach. A repeated command
continues where the last one ended. Decision: docs/decisions/0069-home-record.md.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code
from tools.deployment.environments import layout_of, read_environments
from tools.operations.stage import running_layout
from tools.paths import STATE

#: Writes of the old home travel for so long before the new one begins. DynamoDB replicates within a
#: second as a rule ("How DynamoDB global tables work"), and each item apart.
SETTLE_S: Final = 5.0
#: The record of the home has to arrive in the new home within this time.
ARRIVAL_S: Final = 60.0
_CONFIG: Final = Config(connect_timeout=5, read_timeout=25, retries={"total_max_attempts": 1})


class UnreachableError(Exception):
    """Raised when a Region's function doesn't answer. The message is the reason."""


@dataclass(frozen=True)
class Record:
    """The home, as a Region knows it."""

    home: str
    epoch: int
    is_moving: bool

    def text(self) -> str:
        """Return the record in words."""
        moving = ", which hasn't begun" if self.is_moving else ""
        return f"{self.home} is the home{moving}, epoch {self.epoch}"


@dataclass(frozen=True)
class Homes:
    """The functions of the bookings in each Region of a stage, the first home first."""

    stage: str
    regions: tuple[str, ...]
    #: Makes a client of a service in a Region.
    clients: Callable[[str, str], Any]
    settle_s: float = SETTLE_S

    def ask(self, region: str, action: str, **more: str) -> dict[str, Any]:
        """Return a function's answer, with its HTTP status as `status`.

        Raises:
            UnreachableError: The Region or the function doesn't answer.
        """
        payload = json.dumps({"action": action, **more}).encode()
        try:
            answer = self.clients("lambda", region).invoke(
                FunctionName=f"meridian-{self.stage}-bookings", Payload=payload
            )
            result = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError, ValueError) as error:
            raise UnreachableError(str(error).rstrip(".")) from error
        if "FunctionError" in answer or result["status"] >= 500:
            raise UnreachableError(str(result.get("body", result)))
        return {**result["body"], "status": result["status"]}

    def record(self, region: str) -> Record:
        """Return the home, as a Region knows it.

        Raises:
            UnreachableError: The Region or the function doesn't answer.
        """
        return _record(self.ask(region, "home"))


def _record(answer: Mapping[str, Any]) -> Record:
    return Record(str(answer["home"]), int(answer["epoch"]), bool(answer["moving"]))


@dataclass
class Move:
    """A move of the home to the Region `to`. `is_lost`: the old home may not answer."""

    homes: Homes
    to: str
    is_lost: bool
    say: Callable[[str], None] = print
    pause: Callable[[float], None] = time.sleep

    def run(self) -> None:
        """Move the home.

        Raises:
            CommandError: The new home doesn't answer, or the old one without `is_lost`.
        """
        if self.to not in self.homes.regions:
            listed = ", ".join(self.homes.regions)
            raise CommandError(f"TO must be one of {listed}, not {self.to or 'empty'}.")
        known = self._records()
        if self.to not in known:
            raise CommandError(
                f"{self.to} doesn't answer, so it can't become the home. Choose another Region."
            )
        newest = max(known.values(), key=lambda it: (it.epoch, not it.is_moving))
        present = known[self.to]
        if present == newest and (present.home, present.is_moving) == (self.to, False):
            self.say(f"{self.to} is already the home, epoch {present.epoch}.")
        elif newest.home == self.to:
            self._begin()
        elif newest.home in known and not newest.is_moving:
            self._release(newest.home)
            self._begin()
        elif self.is_lost:
            self._take_over()
        else:
            raise CommandError(
                f"{newest.home}, the home, doesn't answer. If it is lost, repeat the command with "
                "LOST=1: bookings that it accepted in its last seconds arrive when it returns, and "
                "may have to be settled by `make conflicts`."
            )
        self._deliver()

    def _records(self) -> dict[str, Record]:
        """Return the record of each Region that answers, and print it."""
        known = {}
        for region in self.homes.regions:
            try:
                known[region] = self.homes.record(region)
                self.say(f"{region}: {known[region].text()}")
            except UnreachableError as error:
                self.say(f"{region}: doesn't answer ({error})")
        return known

    def _release(self, old: str) -> None:
        answer = self._asked(old, "release", to=self.to)
        self.say(f"{old} accepts no more changes of bookings, epoch {answer['epoch']}.")
        self.pause(self.homes.settle_s)

    def _begin(self) -> None:
        """Let the new home begin when its copy of the record says that the old one has stopped.

        Raises:
            CommandError: The record hasn't arrived in time.
        """
        waited = 0.0
        while True:
            answer = self._asked(self.to, "begin")
            if answer["status"] == 200:
                self.say(f"{self.to} is the home, epoch {answer['epoch']}.")
                return
            if waited >= ARRIVAL_S:
                break
            self.pause(1.0)
            waited += 1.0
        if self.is_lost:
            self._take_over()
            return
        raise CommandError(
            f"{answer['detail']} No Region accepts changes of bookings. Repeat the command, or use "
            "LOST=1 if the replication doesn't come back."
        )

    def _take_over(self) -> None:
        answer = self._asked(self.to, "take-over")
        self.say(
            f"{self.to} is the home, epoch {answer['epoch']}, without an answer of the old one."
        )

    def _asked(self, region: str, action: str, **more: str) -> dict[str, Any]:
        """Return an answer of a Region that answered before.

        Raises:
            CommandError: It doesn't any more.
        """
        try:
            return self.homes.ask(region, action, **more)
        except UnreachableError as error:
            raise CommandError(f"{region} doesn't answer: {error}. Repeat the command.") from error

    def _deliver(self) -> None:
        """Pass on the notices that wait in each Region for the emails of the first home."""
        accounts, *others = self.homes.regions
        for region in others:
            count = 0
            try:
                while delivered := int(self.homes.ask(region, "deliver")["delivered"]):
                    count += delivered
            except UnreachableError:
                self.say(
                    f"{region}: emails about changes wait until {region} and {accounts} answer. "
                    "Then repeat the command."
                )
            if count:
                self.say(
                    f"{region}: notices passed on to {accounts}, which sends the emails: {count}"
                )


def local_homes(directory: Path) -> Homes:
    """Return the system that runs in a folder.

    Raises:
        CommandError: No system is running.
    """
    target, layout = running_layout(directory)
    return Homes(
        target.stage,
        tuple(it.region for it in (layout.home, *layout.others)),
        lambda service, region: boto3.client(  # type: ignore[call-overload] # any service
            service,
            region_name=region,
            endpoint_url=target.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator accepts any key
            config=_CONFIG,
        ),
        settle_s=0,
    )


def aws_homes(name: str) -> Homes:
    """Return the stage of an environment in samconfig.toml.

    Raises:
        CommandError: The environment doesn't exist.
    """
    layout = layout_of(read_environments(name)[0])
    return Homes(
        layout.home.stage,
        tuple(it.region for it in (layout.home, *layout.others)),
        lambda service, region: boto3.client(  # type: ignore[call-overload] # any service
            service, region_name=region, config=_CONFIG
        ),
    )


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Move the home to TO in the stage PLACE on AWS, or else in the system of `make up`.

    Raises:
        CommandError: The home can't move.
    """
    name = environment.get("PLACE", "")
    homes = aws_homes(name) if name else local_homes(directory)
    is_lost = environment.get("LOST", "") not in ("", "0")
    Move(homes, environment.get("TO", "").strip(), is_lost).run()
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
