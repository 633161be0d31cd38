"""The sources in force: changes by the snapshot, its age, and reads that fail."""

import base64
import itertools
import json
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from collector_sources import registry
from edge_auth.errors import FetchError
from edge_ingest import settings
from edge_ingest.collector import Collector
from edge_ingest.delivery import Delivery
from edge_ingest.http_client import Endpoint
from edge_ingest.sources import FIRST_AVOIDANCE_S, MAX_AVOIDANCE_S, PATH, SnapshotFetch
from signed_snapshot.publisher import Publisher
from tests.unit.edge_ingest import harness
from tests.unit.edge_ingest.http_server import ServerConnection, network
from tests.unit.signed_snapshot.fake_aws import FakeKms, FakeS3

MAX_AGE_S = 55
KEY, NEXT_KEY = "first-key", "second-key"


class Site:
    """A collector, and the snapshot that it reads. `down`: reads fail."""

    def __init__(self, **changes: object) -> None:
        self.s3 = FakeS3()
        self.publisher = Publisher(
            self.s3, FakeKms(), bucket="b", key="k", name="sources", key_id="one"
        )
        self.clock = harness.Clock()
        self.streams = harness.Streams()
        self.reads: list[str] = []
        self.down = False
        document = harness.settings_document() | {
            "snapshot": {"jwks": self.publisher.public_keys(), "max_age_s": MAX_AGE_S},
            "suppression_key": "a key of the tests",
            **changes,
        }
        self.parsed = settings.parse(document)
        self.publish(lambda content: registry.merge_deployed(content, document["sources"]))
        self.start()

    def start(self) -> None:
        """Start a new process of the collector."""
        delivery = Delivery(
            self.streams,
            self.parsed.stream,
            self.parsed.regions,
            "us-east-1",
            self.clock,
            self.clock.sleep,
        )
        self.collector = Collector(
            self.parsed,
            delivery,
            "us-east-1",
            self.clock,
            self.clock,
            print_line=lambda _: None,
            fetch=self.fetch,
        )

    def publish(self, change: Callable[[registry.Content], registry.Content]) -> None:
        self.publisher.update(change, int(self.clock()))

    def fetch(self, url: str) -> bytes:
        self.reads.append(url)
        if self.down:
            raise FetchError
        return self.s3.objects["k"]

    def send(self, key: str, **options: Any) -> dict[str, Any]:
        options.setdefault("body", {"batch": [harness.track()]})
        return self.collector.handle(harness.request(key=key, **options), 5.0)

    def status(self, key: str, **options: Any) -> str:
        return str(self.send(key, **options)["status"])


@pytest.fixture
def site() -> Site:
    return Site()


def create(site: Site, **changes: Any) -> None:
    site.publish(lambda content: registry.create(content, "shop", changes, KEY))


def test_snapshot_is_read_from_the_distribution_once_in_its_age(site: Site) -> None:
    for _ in range(3):
        assert site.status(harness.WRITE_KEY) == "200"
    site.clock.now += MAX_AGE_S - 1
    assert site.status(harness.WRITE_KEY) == "200"
    assert site.reads == ["https://d111111abcdef8.cloudfront.net/snapshots/sources"]
    site.clock.now += 1
    assert site.status(harness.WRITE_KEY) == "200"
    assert len(site.reads) == 2


def test_new_source_is_accepted_when_the_snapshot_is_read_again(site: Site) -> None:
    assert site.status(KEY) == "401"
    create(site)
    site.clock.now += MAX_AGE_S
    assert site.status(KEY) == "200"
    assert site.streams.records[-1].header.source == "shop"
    assert site.status("another-key") == "401"


def test_both_keys_are_valid_until_the_older_one_is_retired(site: Site) -> None:
    create(site)
    site.publish(lambda content: registry.rotate(content, "shop", NEXT_KEY))
    assert [site.status(key) for key in (KEY, NEXT_KEY)] == ["200", "200"]
    site.publish(lambda content: registry.retire(content, "shop"))
    site.clock.now += MAX_AGE_S
    assert [site.status(key) for key in (KEY, NEXT_KEY)] == ["401", "200"]


def test_disabled_source_is_refused_and_enabled_again(site: Site) -> None:
    """Also a source of the deployment."""
    for enabled, status in ((False, "401"), (True, "200")):
        site.publish(partial(registry.enable, name="portal", enabled=enabled))
        site.clock.now += MAX_AGE_S
        assert site.status(harness.WRITE_KEY) == status


def test_changed_settings_apply(site: Site) -> None:
    create(site)
    page = {"Origin": "https://other.example"}
    assert site.status(KEY, headers=page) == "200"
    changes = {"origins": ["https://shop.example"], "limits": {"batch_events": 1}}
    site.publish(lambda content: registry.configure(content, "shop", changes))
    site.clock.now += MAX_AGE_S
    assert site.status(KEY, headers=page) == "403"
    many = {"batch": [harness.track(), harness.track()]}
    assert site.status(KEY, body=many) == "413"
    site.publish(lambda content: registry.configure(content, "shop", {"origins": None}))
    site.clock.now += MAX_AGE_S
    assert site.status(KEY, headers=page) == "200"


@pytest.mark.parametrize("outage_s", [MAX_AGE_S, 3_600, 30 * 86_400])
def test_last_snapshot_counts_while_reads_fail(site: Site, outage_s: int) -> None:
    create(site)
    assert site.status(KEY) == "200"
    site.down = True
    site.clock.now += outage_s
    assert [site.status(KEY), site.status("other")] == ["200", "401"]


def test_process_without_a_snapshot_accepts_deployed_sources_and_refuses_no_key_finally(
    site: Site,
) -> None:
    create(site)
    site.down = True
    site.start()
    assert site.status(harness.WRITE_KEY) == "200"
    unknown = site.send(KEY)
    assert unknown["status"] == "503"
    assert harness.header(unknown, "retry-after") == "10"
    site.down = False
    site.clock.now += 10
    assert [site.status(KEY), site.status("other")] == ["200", "401"]


@pytest.mark.parametrize(
    "content",
    [
        {"sources": None},
        {"sources": [{"id": "shop"}]},
        {"sources": [{"id": "shop", "keys": ["k"], "privacy": {"ip": "keep"}}]},
        {"sources": [], "suppressed": "all"},
        {"sources": [], "suppressed": [1]},
    ],
)
def test_malformed_snapshot_changes_nothing(site: Site, content: dict[str, Any]) -> None:
    assert site.status(harness.WRITE_KEY) == "200"
    site.publish(lambda _: content)
    site.clock.now += MAX_AGE_S
    assert site.status(harness.WRITE_KEY) == "200"


def test_snapshot_of_another_signer_changes_nothing(site: Site) -> None:
    assert site.status(harness.WRITE_KEY) == "200"
    forger = Publisher(site.s3, FakeKms("other"), bucket="b", key="k", name="sources", key_id="one")
    forger.update(lambda _: {"sources": []}, int(site.clock()))
    site.clock.now += MAX_AGE_S
    assert site.status(harness.WRITE_KEY) == "200"


def test_settings_for_sdks_contain_the_presented_key(site: Site) -> None:
    create(site)
    response = site.send(KEY, method="GET", uri="/sourceConfig/", body=b"")
    assert json.loads(response["body"])["source"]["writeKey"] == KEY
    response = site.send(KEY, method="GET", uri=f"/v1/projects/{KEY}/settings", body=b"")
    assert json.loads(response["body"])["integrations"]["Segment.io"]["apiKey"] == KEY


def test_snapshot_contains_no_write_key_and_no_person(site: Site) -> None:
    create(site)
    payload = site.s3.objects["k"].split(b".")[1]
    text = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)).decode()
    assert '"shop"' in text
    assert KEY not in text
    assert harness.WRITE_KEY not in text


# --- reads over HTTP ---


def test_fetch_returns_the_body_over_one_connection() -> None:
    requests = []

    def script(server: ServerConnection) -> None:
        for body in (b"one", b"two"):
            requests.append(server.request()[0])
            server.respond(body=body)

    with network(script) as connect:
        fetch = SnapshotFetch(connect, harness.Clock())
        url = f"https://site.example{PATH}"
        assert [fetch(url), fetch(url)] == [b"one", b"two"]
        assert connect.endpoints == [Endpoint(tls=True, host="site.example", port=443)]
    # AWS WAF's core rule set blocks requests without a user agent.
    head = {":line": f"GET {PATH} HTTP/1.1", "host": "site.example", "user-agent": "meridian"}
    assert requests == [head] * 2


@pytest.mark.parametrize("status", [204, 301, 403, 404, 500, 503])
def test_fetch_accepts_no_other_status_than_200(status: int) -> None:
    def script(server: ServerConnection) -> None:
        server.request()
        server.respond(status)

    with network(script) as connect, pytest.raises(FetchError):
        SnapshotFetch(connect, harness.Clock())(f"http://127.0.0.1:9{PATH}")


def test_fetch_waits_longer_after_each_failure() -> None:
    clock = harness.Clock()
    attempts = []

    def connect(endpoint: Endpoint, timeout: float) -> socket.socket:
        attempts.append(clock.now)
        raise OSError

    fetch = SnapshotFetch(connect, clock)
    for _ in range(8_000):
        with pytest.raises(FetchError):
            fetch(f"https://site.example{PATH}")
        clock.now += 1
    pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    assert pauses[:5] == [FIRST_AVOIDANCE_S * 2**n for n in range(5)]
    assert set(pauses[5:]) == {MAX_AVOIDANCE_S}
