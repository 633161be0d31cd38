"""The compatibility table of docs/sdks.md: SDKs with their documented options.

`tests/system/test_sdks.py` runs each variant against the running system, and checks its requests.
`python -m tests.system.sdks.variants` writes the table into the document.
"""

import re
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from rudderstack.analytics import Client as RudderClient
from segment.analytics import Client as SegmentClient

from tests.support.paths import ROOT
from tests.system.sdks import senders
from tests.system.sdks.mobile import ANDROID, IOS, mobile
from tests.system.sdks.replayed import recorded
from tests.system.sdks.senders import Sender, node, page, python

DOCUMENT: Final = ROOT / "docs" / "sdks.md"
START: Final = "<!-- compatibility table: python -m tests.system.sdks.variants -->\n"
COLUMNS: Final = (
    *("platform", "SDK", "version", "option", "requests"),
    *("event of 100 KB", "also tested with faults"),
)
END: Final = "<!-- end of the table -->\n"


class Variant(NamedTuple):
    """An SDK with an option. `requests`: path and encoding of its requests with events."""

    sdk: str
    option: str
    requests: str
    send: Sender

    @property
    def name(self) -> str:
        """The name in test IDs."""
        return f"{self.sdk}, {self.option}"


#: Sent under all faults (tests/system/test_degraded_network.py).
WITH_FAULTS: Final = frozenset(name.partition(",")[0] for name in senders.ALL)
BROWSER_SDKS: Final = frozenset({*senders.BROWSERS, *senders.FURTHER_BROWSERS})
#: SDKs that drop an event over 32 KiB themselves. The collector rejects an event of the others that
#: exceeds its limit of 64 KiB, and the SDK sends it once.
DROPS_LARGE_EVENTS: Final = frozenset({"segment-analytics-python", "analytics-node"})
#: SDKs whose recorded requests are sent again, and the version that was recorded.
RECORDED: Final = {"analytics-ruby": "2.5.0", "analytics-php": "3.8.2"}
#: SDKs whose requests are written after their source code, and its version.
WRITTEN: Final = {"rudder-sdk-android": "1.23.3", "rudder-sdk-ios": "1.31.0"}
PLATFORMS: Final = {
    "rudder-sdk-android": "Android",
    "rudder-sdk-ios": "iOS",
    "analytics-ruby": "Ruby",
    "analytics-php": "PHP",
    "segment-analytics-python": "Python",
    "rudder-sdk-python": "Python",
    **dict.fromkeys(BROWSER_SDKS, "browser"),
}
SEGMENT_NODE: Final = "@segment/analytics-node"
RUDDER_NODE: Final = "@rudderstack/rudder-sdk-node"
CUSTOMER_IO: Final = "@customerio/cdp-analytics-node"
SEGMENT_WEB: Final = "@segment/analytics-next"
HIGHTOUCH: Final = "@ht-sdks/events-sdk-js-browser"
RUDDER_WEB: Final = "@rudderstack/analytics-js"
BATCHING: Final = {"strategy": "batching", "config": {"size": 10, "timeout": 500}}
QUEUE: Final = {"batch": {"enabled": True, "maxItems": 10, "flushInterval": 500}}

VARIANTS: Final = (
    Variant("segment-analytics-python", "defaults", "/v1/batch", python(SegmentClient, gzip=False)),
    Variant(
        "segment-analytics-python", "gzip=True", "/v1/batch, gzip", python(SegmentClient, gzip=True)
    ),
    Variant(
        "segment-analytics-python",
        "sync_mode=True",
        "/v1/batch",
        python(SegmentClient, sync_mode=True),
    ),
    Variant(
        "segment-analytics-python",
        "upload_size=1",
        "/v1/batch",
        python(SegmentClient, upload_size=1),
    ),
    Variant("rudder-sdk-python", "gzip=True", "/v1/batch, gzip", python(RudderClient, gzip=True)),
    Variant("rudder-sdk-python", "gzip=False", "/v1/batch", python(RudderClient, gzip=False)),
    Variant(
        "rudder-sdk-python",
        "sync_mode=True",
        "/v1/batch, gzip",
        python(RudderClient, gzip=True, sync_mode=True),
    ),
    Variant(SEGMENT_NODE, "defaults", "/v1/batch", node("segment.cjs")),
    Variant(SEGMENT_NODE, "flushAt: 1", "/v1/batch", node("segment.cjs", flushAt=1)),
    Variant("analytics-node", "defaults", "/v1/batch", node("legacy-segment.cjs")),
    Variant("analytics-node", "flushAt: 1", "/v1/batch", node("legacy-segment.cjs", flushAt=1)),
    Variant(CUSTOMER_IO, "defaults", "/v1/batch", node("segment.cjs", CUSTOMER_IO)),
    Variant(RUDDER_NODE, "defaults", "/v1/batch, gzip", node("rudder.cjs")),
    Variant(RUDDER_NODE, "gzip: false", "/v1/batch", node("rudder.cjs", gzip=False)),
    Variant(RUDDER_NODE, "flushAt: 1", "/v1/batch, gzip", node("rudder.cjs", flushAt=1)),
    Variant(SEGMENT_WEB, "defaults", "/v1/t", page(senders.SEGMENT_SCRIPT, senders.SEGMENT_PAGE)),
    Variant(
        SEGMENT_WEB,
        "deliveryStrategy: batching",
        "/v1/b",
        page(senders.SEGMENT_SCRIPT, senders.SEGMENT_PAGE, deliveryStrategy=BATCHING),
    ),
    Variant(RUDDER_WEB, "defaults", "/v1/track", page(senders.RUDDER_SCRIPT, senders.RUDDER_PAGE)),
    Variant(
        RUDDER_WEB,
        "queueOptions.batch",
        "/v1/batch",
        page(senders.RUDDER_SCRIPT, senders.RUDDER_PAGE, queueOptions=QUEUE),
    ),
    Variant(
        RUDDER_WEB,
        "useBeacon: true",
        "/beacon/v1/batch",
        page(senders.RUDDER_SCRIPT, senders.RUDDER_PAGE, useBeacon=True),
    ),
    Variant(
        "rudder-sdk-js",
        "defaults",
        "/v1/track",
        page(senders.EARLIER_RUDDER_SCRIPT, senders.EARLIER_RUDDER_PAGE),
    ),
    Variant(
        HIGHTOUCH,
        "defaults",
        "/v1/track",
        page(senders.HIGHTOUCH_SCRIPT, senders.HIGHTOUCH_PAGE),
    ),
    Variant("analytics-ruby", "defaults", "/v1/import", recorded("analytics-ruby.ok")),
    Variant("analytics-php", "consumer: lib_curl", "/v1/batch", recorded("analytics-php.ok.plain")),
    Variant(
        "analytics-php",
        "compress_request: true",
        "/v1/batch, gzip",
        recorded("analytics-php.ok.gzip"),
    ),
    Variant("rudder-sdk-android", "defaults", "/v1/batch, gzip", mobile(ANDROID)),
    Variant("rudder-sdk-ios", "defaults", "/v1/batch, gzip", mobile(IOS)),
)


def version_of(sdk: str) -> str:
    """Return the tested version of an SDK."""
    if known := (RECORDED | WRITTEN).get(sdk):
        return known
    pinned = dict(package.rsplit("@", 1) for package in senders.PACKAGES)
    return pinned[sdk] if sdk in pinned else version(sdk)


def table() -> str:
    """Return the table as Markdown."""
    lines = [
        f"| {' | '.join(COLUMNS)} |\n",
        f"|{'---|' * len(COLUMNS)}\n",
    ]
    for variant in VARIANTS:
        platform = PLATFORMS.get(variant.sdk, "Node.js")
        faults = "yes" if variant.sdk in WITH_FAULTS else "no"
        large = "not sent" if variant.sdk in DROPS_LARGE_EVENTS else "rejected"
        if variant.sdk in RECORDED:
            faults = large = "no: recorded requests"
        if variant.sdk in WRITTEN:
            faults = large = "no: written requests"
        option = variant.option if variant.option == "defaults" else f"`{variant.option}`"
        lines.append(
            f"| {platform} | `{variant.sdk}` | {version_of(variant.sdk)} | {option} "
            f"| {variant.requests} | {large} | {faults} |\n"
        )
    return "".join(lines)


def rewritten(text: str) -> str:
    """Return the document's text with the present table."""
    return re.sub(f"(?s){re.escape(START)}.*{re.escape(END)}", f"{START}{table()}{END}", text)


if __name__ == "__main__":
    Path(DOCUMENT).write_text(rewritten(DOCUMENT.read_text()))
