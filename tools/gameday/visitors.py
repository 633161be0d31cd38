"""Send the requests of both continents in the background, a thread for each operation of each."""

import random
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from tools.advisors import register_advisor
from tools.demo_students import access_token, put_user, random_password
from tools.dev.system import System
from tools.gameday.acts import CONTINENTS, OPERATIONS
from tools.gameday.answers import Ledger
from tools.gameday.requests import Crowd, Person, slot_start, visit
from tools.replay.http_client import ConnectionLostError, HttpClient, Response
from tools.stack import client

#: Seconds between two requests of a thread. Sign-ups are rarer: each ends in several emails.
PAUSE_S: Final = 0.7
SIGN_UP_PAUSE_S: Final = 2.5
_CONTESTED_SLOTS: Final = 40
#: Advisors of a continent: enough slots for 15 minutes of bookings.
_ADVISORS: Final = 27


class NearestPlace:
    """A client of the nearest edge location, and of the next one while that is lost.

    On AWS, the distribution's name leads to another location; here the client does it.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._clients = [HttpClient(url) for url in urls]

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send the request.

        Raises:
            ConnectionLostError: No response arrived.
        """
        nearest, *further = self._clients
        try:
            return nearest.request(method, path, headers, body)
        except ConnectionLostError as error:
            if str(error) != "connection refused":
                raise
        return further[0].request(method, path, headers, body)

    def close(self) -> None:
        """Close the connections."""
        for each in self._clients:
            each.close()


class Visitors:
    """The crowds of both continents: `start`, and `stop` at the end of the day."""

    def __init__(self, running: System, seed: int, ledger: Ledger) -> None:
        self.run = f"day-{seed}-{uuid.uuid4().hex[:6]}"
        self._running = running
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(len(OPERATIONS) * len(CONTINENTS), "visitors")
        self._futures: list[Future[None]] = []
        self._senders: list[tuple[Crowd, str, NearestPlace]] = []
        students = [self._person(f"student-{it.lower()}") for it in CONTINENTS]
        paying = self._person("paying", paying=True)
        self.staff = self._person("staff", staff=True)
        both = self._registered("both")
        slots = [(both, slot_start(number)) for number in range(_CONTESTED_SLOTS)]
        for (continent, location), student in zip(CONTINENTS.items(), students, strict=True):
            urls = [
                running.urls[location],
                *(url for it, url in running.urls.items() if it != location),
            ]
            numbers = range(_ADVISORS)
            advisors = [self._registered(f"{continent.lower()}-{it}") for it in numbers]
            for operation in OPERATIONS:
                crowd = Crowd(
                    continent,
                    self.run,
                    running.deployed.write_key,
                    student,
                    paying,
                    self.staff,
                    random.Random(f"{seed} {continent} {operation}"),  # noqa: S311 - not a secret
                    ledger,
                    advisors,
                    list(slots),
                )
                self._senders.append((crowd, operation, NearestPlace(urls)))

    def start(self) -> None:
        """Begin to send."""
        self._futures = [self._pool.submit(self._visit, *it) for it in self._senders]

    def stop(self) -> None:
        """Stop sending, and wait for the requests that are under way."""
        self._stopped.set()
        self._pool.shutdown()
        for future in self._futures:
            future.result()

    def _visit(self, crowd: Crowd, operation: str, sender: NearestPlace) -> None:
        pause = SIGN_UP_PAUSE_S if operation == "sign-up" else PAUSE_S
        try:
            # The operations don't all begin at the same moment.
            self._stopped.wait(crowd.draw.random() * pause)
            while not self._stopped.is_set():
                visit(crowd, operation, sender)
                self._stopped.wait(pause)
        finally:
            sender.close()

    def _registered(self, name: str) -> str:
        """Register an advisor; return the id."""
        advisor = f"{self.run}-{name}"
        register_advisor(self._running.target, advisor)
        return advisor

    def _person(self, name: str, *, paying: bool = False, staff: bool = False) -> Person:
        cognito = client("cognito-idp", self._running.target)
        outputs = self._running.deployed.outputs
        pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
        email, password = f"{self.run}-{name}@example.com", random_password()
        put_user(cognito, pool, email, password, paying=paying, staff=staff)
        token = access_token(cognito, pool, app_client, email, password)
        user = cognito.admin_get_user(UserPoolId=pool, Username=email)
        attributes = {it["Name"]: it["Value"] for it in user["UserAttributes"]}
        return Person(attributes["sub"], token)
