"""The documents that browser SDKs fetch before they send anything."""

from typing import Any

from edge_ingest.settings import Source

_UPDATED_AT = "2026-01-01T00:00:00Z"


def project_settings(source: Source, domain: str) -> dict[str, Any]:
    """Return what Segment's analytics.js loads from `/v1/projects/{key}/settings`.

    It says where events go: to the very address that served it.
    """
    return {
        "integrations": {
            "Segment.io": {
                "apiKey": source.write_key,
                "apiHost": f"{domain}/v1",
                "protocol": "https",
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
