"""Convert real shop sessions to track events, as test data.

The sessions are a test resource of the OTTO data set (github.com/otto-de/recsys-dataset,
CC-BY 4.0): one JSON object a line, `{"session", "events": [{"aid", "ts", "type"}]}`, `ts` in
milliseconds. The names of events and properties are those of Segment's "V2 Ecommerce Events".
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.replay.events import LIBRARY, iso

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "otto_sessions_20.jsonl"
SHA256 = "8994e47578f7467191185e612080696030495b6041015a6550b9d8af57f7c826"

EVENTS = {"clicks": "Product Viewed", "carts": "Product Added", "orders": "Order Completed"}


def track_events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the track events of all sessions, in the order of the file."""
    for line in lines:
        session = json.loads(line)
        digest = hashlib.sha256(f"session {session['session']}".encode()).hexdigest()
        for number, event in enumerate(session["events"]):
            product = {"product_id": str(event["aid"])}
            ordered = event["type"] == "orders"
            yield {
                "type": "track",
                "event": EVENTS[event["type"]],
                "messageId": f"shop-{session['session']}-{number}",
                "anonymousId": digest[:32],
                "timestamp": iso(datetime.fromtimestamp(event["ts"] / 1000, UTC)),
                "properties": {"products": [product]} if ordered else product,
                "context": {"library": LIBRARY},
            }
