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
)
