"""Make this Region the home, one step for each call: the state machine `failover` calls it.

The steps are those of `make failover` (docs/decisions/0069-home-record.md): release and begin, or
take over from a home that doesn't answer if a person said that it is lost, then pass on the notices
that wait. A step depends on the records only, so a repeated call or execution continues.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bookings.errors import HomeChangeError, UnavailableError
from bookings.home import Home
from bookings.home_table import HomeTable
from bookings.waiting_notices import WaitingNotices

#: Writes of the old home travel for so many seconds before the new one begins.
SETTLE_S: Final = 5
#: Calls, a second apart, in which the record of the old home has to arrive.
ARRIVAL_CALLS: Final = 60
#: Regions that one call asks for their record, within the function's timeout.
_ASKED: Final = 2

#: Asks another Region's function: status and body.
type Ask = Callable[[str, Mapping[str, Any]], tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a call did. The caller waits `wait_s` seconds before the next one, until the end."""

    text: str
    wait_s: int = 1
    is_done: bool = False
    is_refused: bool = False

    def document(self) -> dict[str, Any]:
        """Return the body of the function's answer."""
        return {
            "text": self.text,
            "waitSeconds": self.wait_s,
            "done": self.is_done,
            "refused": self.is_refused,
        }


class Advance:
    """The move of the home to `region`, whose record and notices these are."""

    def __init__(
        self, region: str, home: HomeTable, ask: Ask, notices: Callable[[], WaitingNotices]
    ) -> None:
        """Create the move. `ask` asks the function of another Region."""
        self._region = region
        self._home = home
        self._ask = ask
        self._notices = notices

    def step(self, *, is_lost: bool, calls: int) -> Progress:
        """Do the next step.

        Args:
            is_lost: A person said that the old home is lost.
            calls: The number of calls before this one.

        Raises:
            HomeChangeError: The record changed at the same time.
            UnavailableError: DynamoDB failed in this Region, or the old home stopped to answer.
        """
        known = self._records()
        newest = _newest(known)
        if known[self._region] == newest and newest.accepts(self._region):
            return self._deliver(newest)
        if newest.region == self._region:
            return self._begin(is_lost=is_lost, calls=calls)
        if newest.region in known and not newest.is_moving:
            return self._release(newest.region)
        if is_lost:
            return self._take_over()
        return Progress(
            f"{newest.region}, the home, doesn't answer. If it is lost, start with "
            '{"lost": true}: bookings that it accepted in its last seconds arrive when it returns.',
            is_refused=True,
        )

    def _records(self) -> dict[str, Home]:
        """Return the record of this Region, and of those that the newest record names."""
        known = {self._region: self._home.newest()}
        for _ in range(_ASKED):
            named = _newest(known).region
            if named in known:
                break
            try:
                status, body = self._ask(named, {"action": "home"})
            except UnavailableError:
                break
            if status != 200:
                break
            known[named] = Home(str(body["home"]), int(body["epoch"]), bool(body["moving"]))
        return known

    def _release(self, old: str) -> Progress:
        status, body = self._ask(old, {"action": "release", "to": self._region})
        if status >= 500:
            raise UnavailableError(f"{old} doesn't answer.")
        if status != 200:
            raise HomeChangeError(str(body.get("detail", "")))
        return Progress(f"{old} accepts no more changes of bookings.", SETTLE_S)

    def _begin(self, *, is_lost: bool, calls: int) -> Progress:
        try:
            begun = self._home.begin()
        except HomeChangeError as error:
            if calls < ARRIVAL_CALLS:
                return Progress(str(error))
            if is_lost:
                return self._take_over()
            return Progress(
                f"{error} No Region accepts changes of bookings. Start again, or with "
                '{"lost": true} if the replication doesn\'t come back.',
                is_refused=True,
            )
        return Progress(f"{self._region} is the home, epoch {begun.epoch}.")

    def _take_over(self) -> Progress:
        epoch = self._home.take_over().epoch
        return Progress(
            f"{self._region} is the home, epoch {epoch}, without an answer of the old one."
        )

    def _deliver(self, known: Home) -> Progress:
        """Pass on the next notices that wait in this Region's table for the first home's emails."""
        done = f"{self._region} is the home, epoch {known.epoch}."
        try:
            delivered = self._notices().deliver()
        except UnavailableError:
            text = f"{done} Emails about changes wait for the Region of the accounts: start again."
            return Progress(text, is_done=True)
        if delivered:
            return Progress(f"Notices passed on: {delivered}.")
        return Progress(done, is_done=True)


def _newest(known: Mapping[str, Home]) -> Home:
    return max(known.values(), key=lambda it: (it.epoch, not it.is_moving))
