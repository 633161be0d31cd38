"""Only CloudFront reaches the API: it sends a key, which `make rotate` replaces.

No request is refused during the rotation, with the edge in the home's stack and in another Region.
"""

import threading
import uuid
from collections import Counter
from dataclasses import replace
from typing import Self

import httpx
import pytest

from tests.support.waiting import wait_until
from tests.system.conftest import EDGE, LONDON, MUMBAI
from tools.dev.system import System
from tools.operations import rotate
from tools.stack import client

pytestmark = pytest.mark.integration

#: An operation without an authorizer.
PATH = f"/api/accounts/requests/{uuid.uuid4()}"


def api_keys(system: System) -> dict[str, str]:
    """Return the API keys of the Region by ID."""
    keys = client("apigateway", system.target).get_api_keys(includeValues=True)["items"]
    return {it["id"]: it["value"] for it in keys}


def get(url: str, key: str | None = None, token: str | None = None) -> httpx.Response:
    headers = {"x-api-key": key} if key else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, timeout=30)


@pytest.mark.parametrize("key", [None, "0" * 40])
def test_request_past_cloudfront_is_forbidden(meridian: System, key: str | None) -> None:
    for path in (PATH, "/api/profile"):
        response = get(meridian.api_url + path, key, meridian.students[0].token)
        assert response.status_code == 403
        assert response.json()["code"] == "not_through_cloudfront"


def test_viewer_cannot_replace_the_key_of_cloudfront(meridian: System) -> None:
    """CloudFront overwrites a viewer's header that is also a custom header of the origin."""
    assert get(meridian.url + PATH, "0" * 40).status_code == 404


def test_key_is_generated(meridian: System) -> None:
    (key,) = api_keys(meridian).values()
    assert len(key) == 40
    assert key.isalnum()
    assert get(meridian.api_url + PATH, key).status_code == 404


class Requests:
    """Requests to the API through each edge location, one after the other, until the end."""

    def __init__(self, running: System) -> None:
        self.running = running
        self.answers: Counter[int] = Counter()
        self._is_ended = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def _send(self) -> None:
        while not self._is_ended.is_set():
            for url in self.running.urls.values():
                self.answers[get(url + PATH).status_code] += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ended.set()
        self._thread.join()


def rotate_key(running: System) -> list[str]:
    """Rotate the key as `make rotate` does; return what it prints."""
    lines: list[str] = []
    rotation = replace(rotate.local_rotation(running.directory), say=lines.append)
    with Requests(running) as requests:
        rotation.run()
    # CloudFront answers 504 when a busy machine leaves the API no time. A refusal would be 403.
    assert 404 in requests.answers
    assert set(requests.answers) <= {404, 504}, requests.answers
    return lines


def test_rotation_replaces_the_key_and_refuses_no_request(meridian: System) -> None:
    ((old_id, old),) = api_keys(meridian).items()
    rotate_key(meridian)
    ((new_id, new),) = api_keys(meridian).items()
    assert old_id != new_id
    assert old != new
    # The servers read a changed configuration within seconds.
    url = meridian.api_url + PATH
    wait_until(lambda: get(url, old).status_code == 403, "the withdrawal of the old key")
    assert get(url, new).status_code == 404


def test_rotation_with_a_separate_home_refuses_no_request(regions: System) -> None:
    """The stacks of London, Mumbai and us-east-1 change one after the other."""
    lines = rotate_key(regions)
    sent = next(it for it in lines if EDGE in it)
    before = " ".join(lines[: lines.index(sent)])
    assert all(f"{it}: OriginKeys=" in before for it in (LONDON, MUMBAI)), lines
    secrets = regions.clients("secretsmanager", EDGE).list_secrets()["SecretList"]
    names = [it["Name"] for it in secrets if "-origin-key-" in it["Name"]]
    assert [it[-1] for it in names] == [sent[-1]]
