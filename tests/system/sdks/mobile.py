"""RudderStack's SDKs for Android and iOS: their requests, written after their source code.

No bare machine runs them. Sources, of versions 1: rudder-sdk-android, `RudderServerConfigManager`
(the settings), `RudderNetworkManager` (headers), `FlushUtils` (batches); rudder-sdk-ios,
`RSNetworkManager`. The SDK sends nothing before it has its settings, and deletes a batch after
the status 200 only.
"""

import base64
import gzip
import json
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from tests.system.sdks.senders import Sender, Task

#: `flushQueueSize` of `RudderConfig`, by default.
EVENTS_PER_BATCH: Final = 30
#: The SDK stops if an answer contains it; with any other one it sends its request again.
FINAL_ERROR: Final = "invalid write key"


class Platform(NamedTuple):
    """What an SDK states about itself. `is_packed`: bodies have gzip."""

    query: str
    user_agent: str
    library: dict[str, str]
    device: dict[str, str]
    is_packed: bool


ANDROID: Final = Platform(
    "p=android&v=1.23.3&bv=34",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UD1A.230803.041)",
    {"name": "com.rudderstack.android.sdk.core", "version": "1.23.3"},
    {"manufacturer": "Google", "model": "Pixel 8", "name": "shiba", "type": "Android"},
    is_packed=True,
)
IOS: Final = Platform(
    "p=ios&v=1.31.0",
    "School/7 CFNetwork/1494.0.7 Darwin/23.4.0",
    {"name": "rudder-ios-library", "version": "1.31.0"},
    {"manufacturer": "Apple", "model": "iPhone", "name": "iPhone 15", "type": "iOS"},
    is_packed=True,
)


class NotStartedError(Exception):
    """The SDK didn't get its settings. `is_final`: it won't ask for them again."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.is_final = FINAL_ERROR in answer.lower()


def mobile(platform: Platform) -> Sender:
    """Return a sender of a platform's requests."""

    def send(task: Task) -> None:
        key = base64.b64encode(f"{task.write_key}:".encode()).decode()
        headers = {"Authorization": f"Basic {key}", "User-Agent": platform.user_agent}
        settings = f"{task.host}/sourceConfig?{platform.query}"
        if json.loads(_answer(settings, headers))["source"]["enabled"] is not True:
            return
        headers |= {
            "Content-Type": "application/json",
            "AnonymousId": base64.b64encode(task.visitor.encode()).decode(),
        }
        if platform.is_packed:
            headers["Content-Encoding"] = "gzip"
        for first in range(0, task.events, EVENTS_PER_BATCH):
            numbers = range(first, min(first + EVENTS_PER_BATCH, task.events))
            sent_at = _now()
            events = [_event(platform, task, number) | {"sentAt": sent_at} for number in numbers]
            body = json.dumps({"sentAt": sent_at, "batch": events}).encode()
            if platform.is_packed:
                body = gzip.compress(body, mtime=0)
            _answer(f"{task.host}/v1/batch", headers, body)

    return send


def _answer(url: str, headers: dict[str, str], body: bytes | None = None) -> str:
    """Return the text of a response with status 200.

    Raises:
        NotStartedError: The status is another one.
    """
    try:
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            raise NotStartedError(error.read().decode()) from error


def _event(platform: Platform, task: Task, number: int) -> dict[str, Any]:
    return {
        "messageId": str(uuid.uuid4()),
        "channel": "mobile",
        "context": {
            "app": {
                "build": "7",
                "name": "School",
                "namespace": "example.school",
                "version": "1.2",
            },
            "traits": {"anonymousId": task.visitor},
            "library": platform.library,
            "os": {"name": platform.device["type"], "version": "14"},
            "screen": {"density": 420, "height": 2400, "width": 1080},
            "userAgent": platform.user_agent,
            "locale": "en-GB",
            "device": {"id": "8f7a6c5d4e3b2a19", **platform.device},
            "network": {"carrier": "Ncell", "bluetooth": False, "cellular": True, "wifi": False},
            "timezone": "Asia/Kathmandu",
            "sessionId": 1763000000,
        },
        "type": "track",
        "originalTimestamp": _now(),
        "anonymousId": task.visitor,
        "event": f"Step {number}",
        "properties": {"n": number, "text": "x" * task.text_bytes},
        "integrations": {"All": True},
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
