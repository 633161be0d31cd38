"""The documents that browser SDKs fetch before they send anything."""

import re
from typing import Any, Final

from edge_ingest.settings import Source
from edge_ingest.viewer import Request

_UPDATED_AT: Final = "2026-01-01T00:00:00Z"
_HOST: Final = r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
_LOOPBACK: Final = r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?"


def project_settings(source: Source, request: Request) -> dict[str, Any]:
    """Return what Segment's analytics.js loads from `/v1/projects/{key}/settings`.

    It says where events go: to the very address that served it.
    """
    host = _served_by(request)
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


def _served_by(request: Request) -> str:
    """Return the host that the viewer asked, where its header is forwarded.

    Else the header names the origin, and the distribution's own name is the address. CloudFront
    takes requests for the names of the distribution only, so that no visitor can choose another.
    """
    host = request.header("host") or ""
    if re.fullmatch(_HOST, host) and not host.endswith(".amazonaws.com"):
        return host
    return request.domain


def source_config(source: Source) -> dict[str, Any]:
    """Return what RudderStack's SDK loads from `/sourceConfig/`: a source without destinations.

    Its own reports of errors and metrics go to RudderStack's servers: they are switched off.
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
