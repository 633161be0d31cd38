"""Settings documents that browser SDKs fetch before they send events.

`collector` returns them for the routes `project_settings` (Segment) and `source_config`
(RudderStack).
"""

import re
from typing import Any, Final

from edge_ingest.cloudfront_event import Request
from edge_ingest.settings import Source

_UPDATED_AT: Final = "2026-01-01T00:00:00Z"
_HOST: Final = r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
_LOOPBACK: Final = r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?"


def project_settings(source: Source, request: Request) -> dict[str, Any]:
    """Return the document for Segment's analytics.js, `/v1/projects/{key}/settings`.

    It directs the SDK's events to the host that served the document.
    """
    host = _public_host(request)
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": source.write_key,
                "apiHost": f"{host}/v1",
                "protocol": "http" if re.fullmatch(_LOOPBACK, host) else "https",
                "unbundledIntegrations": [],
                "addBundledMetadata": True,
                "maybeBundledConfigIds": {},
                "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
            }
        },
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def _public_host(request: Request) -> str:
    """Return the viewer's Host header, or the distribution's domain name if it isn't forwarded.

    Without forwarding, Host contains the origin's name. CloudFront accepts only the distribution's
    names as Host, so a client can't redirect other visitors' events.
    """
    host = request.header("host") or ""
    if re.fullmatch(_HOST, host) and not host.endswith(".amazonaws.com"):
        return host
    return request.domain


def source_config(source: Source) -> dict[str, Any]:
    """Return the document for RudderStack's SDK, `/sourceConfig/`: a source without destinations.

    It disables the SDK's error and metrics reports, which would go to RudderStack's servers.
    """
    return {
        "source": {
            "id": source.id,
            "name": source.id,
            "writeKey": source.write_key,
            "config": {
                "statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}
            },
            "enabled": True,
            "workspaceId": "meridian",
            "destinations": [],
            "connections": [],
            "dataplanes": {},
            "sourceDefinition": {"name": "Javascript"},
            "updatedAt": _UPDATED_AT,
        },
        "updatedAt": _UPDATED_AT,
        "consentManagementMetadata": {"providers": []},
    }
