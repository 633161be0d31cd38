"""Paths of SDKs that don't use Segment's HTTP API, from the documentation of their vendors."""

from typing import Final

PATHS_OF_OTHER_SDKS: Final = (
    "/2/httpapi",  # Amplitude
    "/batch",  # Amplitude, PostHog
    "/batch/",
    "/capture/",  # PostHog
    "/e/",
    "/i/v0/e/",
    "/decide/",
    "/flags/",
    "/com.snowplowanalytics.snowplow/tp2",  # Snowplow
    "/com.snowplowanalytics.iglu/v1",
    "/g/collect",  # Google Analytics
    "/mp/collect",
    "/track",  # Mixpanel
    "/engage",
    "/matomo.php",  # Matomo
    "/v1/",
    "/v1/traces",  # OpenTelemetry
    "/v2/batch",
    "/s/",  # PostHog
    "/i",  # Countly, Snowplow
    "/1/indexes/events",  # Algolia
    "/collect",  # Google Analytics, Adobe
    "/ee/v1/interact",
    "/piwik.php",
    "/ppms.php",  # Piwik PRO
    "/_vercel/insights/event",
    "/cdn-cgi/rum",
    "/intake/v2/rum/events",  # Elastic
)
#: The same at paths whose behaviors allow no POST or belong to the API: AWS WAF answers them.
PATHS_OF_PAGES: Final = (
    "/",  # Amplitude, Bugsnag
    "/api/event",  # Plausible
    "/api/send",  # Umami
    "/api/event/",
    "/api/openapi.json",
    "/index.html",
    "/a/b.html",
    "/style.css",
    "/collect.js",
    "/icon.svg",
    "/events.json",
    "/snapshots/sources",
)
