"""The catalogue in two Regions, and the load of readers and of staff in each."""

import contextlib
import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pytest

from tests.support.running import state_folder
from tests.unit.catalogue.test_model import COURSE
from tests.unit.edge_auth import issuer
from tools.regional import tier as regional
from tools.regional.postgres import is_usable

HOME: Final = "us-east-1"
AWAY: Final = "eu-west-2"
#: The prepared courses have this subject and teacher.
COMMON: Final = {"subject": "mathematics", "teacher": "asha-menon"}
_CHANGES: Final = "/catalogue/staff/courses"


def require_servers() -> None:
    """Skip the test on a platform without the servers."""
    if not is_usable():
        pytest.skip(
            "POSTGRESQL AND VALKEY CAN'T BE INSTALLED OR STARTED: see tools/setup/regional.py"
        )


@contextlib.contextmanager
def running(name: str) -> Iterator[regional.Tier]:
    """Run both Regions, with the keys of the tests' issuer, in a folder of this name."""
    require_servers()
    variables = {
        "STAFF_ISSUER": issuer.ISSUER,
        "STAFF_CLIENTS": issuer.CLIENT,
        "STAFF_KEYS": json.dumps(issuer.jwks()),
    }
    with regional.running(state_folder(name), (HOME, AWAY), variables) as tier:
        yield tier


def staff_token() -> str:
    """Return an access token of a member of the staff."""
    return issuer.token(issuer.access_claims(time.time()) | {"cognito:groups": ["staff"]})


def stored(tier: regional.Tier, region: str) -> set[str]:
    """Return the IDs of the courses that a load has added, as a Region's database has them."""
    rows = tier.server(region).sql("SELECT id FROM courses WHERE id LIKE 'course-%'")
    return set(rows.split())


@dataclass
class Reply:
    """The status, headers and document of a response; status 0 without a connection."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    document: Any = None


def send(
    tier: regional.Tier,
    region: str,
    method: str,
    path: str,
    token: str = "",
    document: object = None,
    key: str = "",
) -> Reply:
    """Send a request to a Region's load balancer."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", tier.settings[region].balancer_port, timeout=120
    )
    headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, json.dumps(document), headers)
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), json.loads(response.read()))
    except (OSError, http.client.HTTPException, ValueError):
        return Reply(0)
    finally:
        connection.close()


class Change(NamedTuple):
    """A course that a Region was asked to add, and the reply."""

    region: str
    course: str
    reply: Reply


@dataclass
class Load:
    """A reader and a writer in each Region, with each reply in the order of its arrival."""

    tier: regional.Tier
    token: str
    reads: dict[str, list[Reply]] = field(default_factory=lambda: {HOME: [], AWAY: []})
    changes: list[Change] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send requests until the end of the context."""
        threads = [
            threading.Thread(target=work, args=(region,))
            for region in (HOME, AWAY)
            for work in (self._read, self._write)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def queries(self, region: str) -> Sequence[str]:
        """Return the queries of a reader's next searches."""
        return [f"q=algebra&limit={1 + len(self.reads[region]) % 50}"]

    def acknowledged(self) -> dict[str, int]:
        """Return the number of each acknowledged change, by course."""
        return {
            it.course: it.reply.document["generation"]
            for it in list(self.changes)
            if it.reply.status == 201
        }

    def _read(self, region: str) -> None:
        while not self._ended.wait(0.05):
            for query in self.queries(region):
                path = f"/catalogue/courses?{query}"
                self.reads[region].append(send(self.tier, region, "GET", path))

    def _write(self, region: str) -> None:
        while not self._ended.wait(0.05):
            course = f"course-{uuid.uuid4()}"
            document = COURSE | COMMON | {"id": course}
            reply = send(self.tier, region, "POST", _CHANGES, self.token, document)
            self.changes.append(Change(region, course, reply))
