"""Send the recorded requests of an SDK that a bare machine can't run.

`tests/fixtures/sdk_requests` has the requests as the SDK sent them. Each run sends the same events
with other ids, in the same encoding and with the same headers.
"""

import base64
import gzip
import json
import urllib.request
import uuid
from typing import Any, Final

from tests.support.paths import ROOT
from tests.system.sdks.senders import Sender, Task

FIXTURES: Final = ROOT / "tests" / "fixtures" / "sdk_requests"
_CONNECTION: Final = {"host", "content-length", "authorization", "accept-encoding"}


def recorded(name: str) -> Sender:
    """Return a sender for the recorded requests of one name, with the events of a task."""

    def send(task: Task) -> None:
        for path in sorted(FIXTURES.glob(f"{name}.[0-9]*.json")):
            _send(json.loads(path.read_text()), task)

    return send


def _send(request: dict[str, Any], task: Task) -> None:
    data = base64.b64decode(request["body_base64"])
    is_packed = data[:2] == b"\x1f\x8b"
    document = json.loads(gzip.decompress(data) if is_packed else data)
    (pattern, *_) = [event for event in document["batch"] if event["type"] == "track"]
    document["batch"] = [
        pattern
        | {"messageId": str(uuid.uuid4()), "anonymousId": task.visitor, "event": f"Step {number}"}
        for number in range(task.events)
    ]
    body = json.dumps(document, separators=(",", ":")).encode()
    if is_packed:
        body = gzip.compress(body, mtime=0)
    headers = {n: value for n, value in request["headers"] if n.lower() not in _CONNECTION}
    key = base64.b64encode(f"{task.write_key}:".encode()).decode()
    sent = urllib.request.Request(f"{task.host}{request['path']}", body, headers, method="POST")
    sent.add_header("Authorization", f"Basic {key}")
    with urllib.request.urlopen(sent, timeout=30) as response:
        response.read()
