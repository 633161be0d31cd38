"""Parse and validate the properties of the custom resources. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edge_auth import settings as auth_settings
from edge_auth.errors import SettingsError as AuthSettingsError
from edge_ingest import settings as ingest_settings
from edge_ingest.errors import SettingsError as IngestSettingsError
from edge_settings.errors import InvalidSettingsError, MissingPropertyError
from edge_settings.rule_coverage import check_coverage

#: Component -> the parser that its handler uses, so that a deployment validates the same rules.
PARSERS: Final[Mapping[str, Callable[[object], object]]] = {
    "edge_auth": auth_settings.parse,
    "edge_ingest": ingest_settings.parse,
}

#: Parameters of UpdateUserPoolClient that other properties of Custom::AppClientSettings set.
_OWN_ATTRIBUTES: Final = {"UserPoolId", "ClientId", "ClientName", "CallbackURLs", "LogoutURLs"}


@dataclass(frozen=True)
class EdgeVersionProperties:
    """Custom::EdgeVersion: publish `built_version` of a function together with `settings`."""

    component: str
    #: ARN of the version that contains the package as built, `…:function:<name>:<number>`.
    built_version: str
    settings: dict[str, object]
    #: Name of the parameter with the secret that becomes the setting `salt`. Empty: no secret.
    secret_name: str = ""
    #: Another value than at the last deployment replaces the secret.
    secret_generation: str = ""
    #: Name of the parameter with the secret that becomes the setting `suppression_key`.
    suppression_key_name: str = ""
    #: Path patterns of the cache behaviors that invoke edge_auth before pages, and before an API.
    page_paths: tuple[str, ...] = ()
    api_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class AppClientProperties:
    """Custom::AppClientSettings: the settings of an app client, and the URLs of its origins."""

    user_pool_id: str
    client_id: str
    #: Parameters of UpdateUserPoolClient, without identifiers and URLs.
    settings: dict[str, object]
    callback_urls: tuple[str, ...]
    logout_urls: tuple[str, ...]


def parse_edge_version(properties: Mapping[str, object]) -> EdgeVersionProperties:
    """Parse the properties of a Custom::EdgeVersion.

    `Settings` is a JSON string, because CloudFormation converts numbers and booleans in a custom
    resource's properties to strings. `MoreSettings` is another one, from a parameter.

    Raises:
        MissingPropertyError: A property is missing or malformed.
        InvalidSettingsError: `Settings` isn't a JSON object, or `MoreSettings` repeats a setting.
    """
    component = _string(properties, "Component")
    if component not in PARSERS:
        raise MissingPropertyError(
            f"Component must be one of {sorted(PARSERS)}, not {component!r}."
        )
    settings = _settings(properties, component)
    if properties.get("MoreSettings"):
        more = _settings(properties, component, "MoreSettings")
        if repeated := settings.keys() & more.keys():
            raise InvalidSettingsError(
                f"MoreSettings of {component} can't contain {', '.join(sorted(repeated))}: the "
                "template sets them."
            )
        settings |= more
    built_version = _string(properties, "BuiltVersion")
    if not built_version.rpartition(":")[2].isdigit():
        raise MissingPropertyError("BuiltVersion must be the ARN of a numbered version.")
    secret_name = secret_generation = ""
    if "SecretName" in properties:
        secret_name = _string(properties, "SecretName")
        secret_generation = _string(properties, "SecretGeneration")
    suppression_key_name = ""
    if "SuppressionKeyName" in properties:
        suppression_key_name = _string(properties, "SuppressionKeyName")
    is_auth = component == "edge_auth"
    return EdgeVersionProperties(
        component,
        built_version,
        settings,
        secret_name,
        secret_generation,
        suppression_key_name,
        page_paths=_patterns(properties, "PagePaths") if is_auth else (),
        api_paths=_patterns(properties, "ApiPaths") if is_auth else (),
    )


def validate_settings(version: EdgeVersionProperties, settings: Mapping[str, object]) -> None:
    """Validate settings with the component's own parser, and edge_auth's rules with the paths.

    Raises:
        InvalidSettingsError: The parser rejects the settings, or the rules differ from the cache
            behaviors. The message names the setting.
    """
    try:
        parsed = PARSERS[version.component](dict(settings))
    except (AuthSettingsError, IngestSettingsError) as error:
        raise InvalidSettingsError(f"Settings of {version.component}: {error}") from error
    if isinstance(parsed, auth_settings.Settings):
        check_coverage(parsed, version.page_paths, version.api_paths)


def parse_app_client(properties: Mapping[str, object]) -> AppClientProperties:
    """Parse the properties of a Custom::AppClientSettings.

    `Origins` have a scheme and a host, and no path. Empty origins are skipped, so that a template
    can join an optional parameter. `Settings` is a JSON string, as in Custom::EdgeVersion.

    Raises:
        MissingPropertyError: A property is missing or malformed.
        InvalidSettingsError: `Settings` isn't a JSON object, or contains what other properties set.
    """
    origins = properties.get("Origins")
    if not isinstance(origins, list) or not all(isinstance(origin, str) for origin in origins):
        raise MissingPropertyError("Origins must be a list of strings.")
    origins = [origin.rstrip("/") for origin in origins if origin]
    if not origins:
        raise MissingPropertyError("Origins must contain at least one origin.")
    settings = _settings(properties, "the app client")
    if owned := _OWN_ATTRIBUTES & settings.keys():
        raise InvalidSettingsError(
            f"Settings of the app client can't contain {', '.join(sorted(owned))}: other "
            "properties of the custom resource set them."
        )
    return AppClientProperties(
        user_pool_id=_string(properties, "UserPoolId"),
        client_id=_string(properties, "ClientId"),
        settings=settings,
        callback_urls=tuple(origin + _string(properties, "CallbackPath") for origin in origins),
        logout_urls=tuple(origin + _string(properties, "LogoutPath") for origin in origins),
    )


def _settings(
    properties: Mapping[str, object], owner: str, name: str = "Settings"
) -> dict[str, object]:
    """Return the JSON object of the property Settings, or of another one.

    Raises:
        InvalidSettingsError: The property isn't a JSON object.
    """
    try:
        settings = json.loads(_string(properties, name))
    except ValueError as error:
        raise InvalidSettingsError(f"{name} of {owner} aren't valid JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise InvalidSettingsError(f"{name} of {owner} must be a JSON object.")
    return settings


def _patterns(properties: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = properties.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MissingPropertyError(f"{name} must be a list of path patterns.")
    return tuple(item for item in value if item)


def _string(properties: Mapping[str, object], name: str) -> str:
    value = properties.get(name)
    if not isinstance(value, str) or not value:
        raise MissingPropertyError(f"{name} is missing or isn't a string.")
    return value
