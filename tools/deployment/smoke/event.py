"""Send an event to the collector and look for its row in the data lake."""

import base64
import json
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from tools.deployment.smoke.target import Target
from tools.replay.http_client import ConnectionLostError, HttpClient

#: Lambda collects events for up to EventsBatchingWindow (60 seconds by default) before it writes.
STORED_WITHIN_S: Final = 240.0
_POLL_S: Final = 3.0


def check_event(target: Target, timeout_s: float = STORED_WITHIN_S) -> list[str]:
    """Return the problems of an event's way to the lake; an empty list if its row is there.

    Args:
        target: The deployed system.
        timeout_s: How long to wait for the row, in seconds.

    Raises:
        ClientError: Amazon S3 refused a call.
    """
    message_id = f"smoke-{uuid.uuid4()}"
    sent_at = datetime.now(UTC)
    problem = _send(target, message_id)
    if problem:
        return [problem]
    deadline = time.monotonic() + timeout_s
    read: set[str] = set()
    while True:
        verdict = _verdict(target, message_id, sent_at, read)
        if verdict == "good":
            return []
        if verdict is not None:
            return [f"the row of event {message_id} has the verdict {verdict}"]
        if time.monotonic() > deadline:
            bucket = target.stack.outputs["LakeBucket"]
            problem = (
                f"event {message_id} isn't in s3://{bucket} after {timeout_s:.0f} s. Read the log "
                "of EventsFunction and the alarms of the stream"
            )
            return [problem]
        time.sleep(_POLL_S)


def _send(target: Target, message_id: str) -> str:
    """Send the event; return a problem or ''."""
    secret = base64.b64encode(f"{target.stack.write_key}:".encode()).decode()
    body = {
        "messageId": message_id,
        "anonymousId": "smoke-test",
        "event": "Smoke test",
        "type": "track",
    }
    client = HttpClient(target.url)
    try:
        response = client.request(
            "POST",
            "/v1/track",
            {"Authorization": f"Basic {secret}", "Content-Type": "application/json"},
            json.dumps(body).encode(),
        )
    except ConnectionLostError as error:
        return f"POST {target.url}/v1/track got no answer: {error}"
    finally:
        client.close()
    if response.status >= 300:
        return f"POST {target.url}/v1/track answered {response.status}: {response.body[:200]!r}"
    return ""


def _verdict(target: Target, message_id: str, since: datetime, read: set[str]) -> str | None:
    """Return the verdict of the event's row in the objects that weren't read before, or None."""
    s3, bucket = target.client("s3"), target.stack.outputs["LakeBucket"]
    for key in _keys(s3, bucket, since):
        if key in read:
            continue
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            s3.download_file(bucket, key, file.name)
            row = duckdb.execute(
                "SELECT verdict FROM read_parquet(?) WHERE message_id = ?",
                [str(Path(file.name)), message_id],
            ).fetchone()
        read.add(key)
        if row is not None:
            return str(row[0])
    return None


def _keys(s3: Any, bucket: str, since: datetime) -> list[str]:
    """Return the keys of the objects written since a time, in the hours around it."""
    hours = {since + timedelta(hours=it) for it in (-1, 0, 1)}
    list_pages: Callable[..., Any] = s3.get_paginator("list_objects_v2").paginate
    return [
        entry["Key"]
        for hour in sorted(hours)
        for page in list_pages(Bucket=bucket, Prefix=f"events/date={hour:%Y-%m-%d}/hour={hour:%H}/")
        for entry in page.get("Contents", [])
        if entry["Key"].endswith(".parquet")
        and entry["LastModified"] >= since - timedelta(seconds=60)
    ]
