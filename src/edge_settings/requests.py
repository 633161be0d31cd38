"""The properties of the two custom resources, read and checked. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge_auth import settings as auth_settings
from edge_auth.errors import SettingsError as AuthSettingsError
from edge_ingest import settings as ingest_settings
from edge_ingest.errors import SettingsError as IngestSettingsError
from edge_settings.errors import InvalidSettingsError, MissingPropertyError

#: Whose settings are whose: the custom resource names the room, and the room's own check decides.
PARSERS: Mapping[str, Callable[[object], object]] = {
    "edge_auth": auth_settings.parse,
    "edge_ingest": ingest_settings.parse,
}


@dataclass(frozen=True)
class VersionRequest:
    """Custom::EdgeVersion: publish `built_version` of a function together with `settings`."""

    room: str
    #: ARN of the version that holds the package as it was built, `…:function:<name>:<number>`.
    built_version: str
    settings: dict[str, object]


@dataclass(frozen=True)
class ClientUrlsRequest:
    """Custom::ClientUrls: where the app client may send its users back to."""

    user_pool_id: str
    client_id: str
    callback_urls: tuple[str, ...]
    logout_urls: tuple[str, ...]


def version_request(properties: Mapping[str, object]) -> VersionRequest:
    """Read the properties of a Custom::EdgeVersion. `Settings` is JSON text: CloudFormation turns
    the numbers and booleans of a custom resource's properties into strings."""
    room = _text(properties, "Room")
    if room not in PARSERS:
        raise MissingPropertyError(f"Room must be one of {sorted(PARSERS)}, not {room!r}.")
    text = _text(properties, "Settings")
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise InvalidSettingsError(f"Settings of {room} are not JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise InvalidSettingsError(f"Settings of {room} must be a JSON object.")
    built_version = _text(properties, "BuiltVersion")
    if not built_version.rpartition(":")[2].isdigit():
        raise MissingPropertyError("BuiltVersion must be the ARN of a numbered version.")
    return VersionRequest(room, built_version, settings)


def check_settings(room: str, settings: Mapping[str, object]) -> None:
    """Ask the room itself whether it could run with `settings`.

    Raises InvalidSettingsError with the room's own sentence, which names the setting.
    """
    try:
        PARSERS[room](dict(settings))
    except (AuthSettingsError, IngestSettingsError) as error:
        raise InvalidSettingsError(f"Settings of {room}: {error}") from error


def client_urls_request(properties: Mapping[str, object]) -> ClientUrlsRequest:
    """Read the properties of a Custom::ClientUrls: `Origins` are scheme and host, no path.

    Empty entries are passed over, so that a template can join an optional parameter.
    """
    origins = properties.get("Origins")
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise MissingPropertyError("Origins must be a list of strings.")
    kept = [origin.rstrip("/") for origin in origins if origin]
    if not kept:
        raise MissingPropertyError("Origins must name at least one origin.")
    return ClientUrlsRequest(
        user_pool_id=_text(properties, "UserPoolId"),
        client_id=_text(properties, "ClientId"),
        callback_urls=tuple(origin + _text(properties, "CallbackPath") for origin in kept),
        logout_urls=tuple(origin + _text(properties, "LogoutPath") for origin in kept),
    )


def _text(properties: Mapping[str, object], name: str) -> str:
    value = properties.get(name)
    if not isinstance(value, str) or not value:
        raise MissingPropertyError(f"{name} is missing.")
    return value
