"""The content of the snapshot of sources. Pure: content and a change in, new content out.

`sources` is a list. Each source has an `id`, the fingerprints `keys` of its write keys (the newest
first), the settings of `edge_ingest.settings.Source` that aren't at their defaults, and notes:

- `enabled`: false if the source is disabled; its keys stay.
- `deployed`: the parameter CollectorSources contains it.
- `changed`: a request has changed it, so deployments leave it as it is.

`suppressed` is a list of keyed fingerprints of persons' ids.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from collector_sources.errors import ConflictError, InvalidRequestError, UnknownSourceError
from edge_ingest.errors import SettingsError
from edge_ingest.settings import Source, parse_published
from signed_snapshot import fingerprint

#: Two during a rotation.
MAX_KEYS: Final = 2
MAX_SOURCES: Final = 100
MAX_SUPPRESSED: Final = 5_000
#: Each process of the collector reads the snapshot once a minute.
MAX_CONTENT_BYTES: Final = 200 * 1024
SETTINGS: Final = frozenset(Source._fields) - {"id", "write_key"}

type Content = dict[str, Any]


def merge_deployed(content: Content, deployed: Sequence[Mapping[str, Any]]) -> Content:
    """Return the content with the sources of a deployment.

    A source that a request has changed stays as it is. A source that the parameter no longer
    contains ends, unless a request has changed it.

    Raises:
        InvalidRequestError: A source is invalid.
        ConflictError: The content would be too large.
    """
    present = {source["id"]: source for source in content.get("sources", [])}
    merged: dict[str, dict[str, Any]] = {}
    for source in deployed:
        name = source.get("id")
        if not isinstance(name, str) or not isinstance(source.get("write_key"), str):
            raise InvalidRequestError(
                "Each source of CollectorSources needs an id and a write_key."
            )
        if present.get(name, {}).get("changed"):
            merged[name] = present[name] | {"deployed": True}
        else:
            settings = {key: value for key, value in source.items() if key != "write_key"}
            keys = [fingerprint("write_key", source["write_key"])]
            merged[name] = settings | {"keys": keys, "enabled": True, "deployed": True}
    for name, source in present.items():
        if name not in merged and (source.get("changed") or not source.get("deployed")):
            merged[name] = source | {"deployed": False}
    return _checked({"sources": list(merged.values()), "suppressed": _suppressed(content)})


def create(content: Content, name: str, settings: Mapping[str, Any], write_key: str) -> Content:
    """Return the content with a new source.

    Raises:
        ConflictError: A source has the id, or there are MAX_SOURCES.
        InvalidRequestError: A setting is invalid.
    """
    if any(source["id"] == name for source in content.get("sources", [])):
        raise ConflictError(f"A source has the id {name} already. Choose another id, or change it.")
    if len(content.get("sources", [])) >= MAX_SOURCES:
        raise ConflictError(f"There are {MAX_SOURCES} sources, the maximum. Remove one first.")
    source: dict[str, Any] = {"id": name, "keys": [], "enabled": True, "deployed": False}
    source |= {"changed": True, **_settings(settings)}
    source["keys"] = [fingerprint("write_key", write_key)]
    return _checked(
        {
            "sources": [*content.get("sources", []), source],
            "suppressed": _suppressed(content),
        }
    )


def configure(content: Content, name: str, settings: Mapping[str, Any]) -> Content:
    """Return the content with other settings of a source. A setting with null gets its default.

    Raises:
        ConflictError: The content would be too large.
        InvalidRequestError: A setting is invalid.
        UnknownSourceError: No source has the id.
    """
    changes = _settings(settings)

    def change(source: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in (source | changes).items() if value is not None}

    return _change(content, name, change)


def enable(content: Content, name: str, *, enabled: bool) -> Content:
    """Return the content with an enabled or disabled source.

    Raises:
        ConflictError: The content would be too large.
        UnknownSourceError: No source has the id.
    """
    return _change(content, name, lambda source: source | {"enabled": enabled})


def rotate(content: Content, name: str, write_key: str) -> Content:
    """Return the content with a further write key of a source; the present one stays valid.

    Raises:
        ConflictError: The source has MAX_KEYS keys.
        UnknownSourceError: No source has the id.
    """

    def change(source: dict[str, Any]) -> dict[str, Any]:
        if len(source["keys"]) >= MAX_KEYS:
            raise ConflictError(
                f"The source {name} has {MAX_KEYS} write keys. Retire the older one first."
            )
        return source | {"keys": [fingerprint("write_key", write_key), *source["keys"]]}

    return _change(content, name, change)


def retire(content: Content, name: str) -> Content:
    """Return the content without the older write key of a source.

    Raises:
        ConflictError: The source has one key only.
        UnknownSourceError: No source has the id.
    """

    def change(source: dict[str, Any]) -> dict[str, Any]:
        if len(source["keys"]) < MAX_KEYS:
            raise ConflictError(f"The source {name} has one write key. Rotate it first.")
        return source | {"keys": source["keys"][:1]}

    return _change(content, name, change)


def remove(content: Content, name: str) -> Content:
    """Return the content without a source.

    Raises:
        ConflictError: The next deployment would add the source again.
        UnknownSourceError: No source has the id.
    """
    source = _find(content, name)
    if source.get("deployed"):
        raise ConflictError(
            f"CollectorSources contains the source {name}. Disable it, or deploy without it."
        )
    others = [other for other in content["sources"] if other["id"] != name]
    return {"sources": others, "suppressed": _suppressed(content)}


def suppress(content: Content, person: str) -> Content:
    """Return the content with a suppressed person. `person` is the fingerprint of an id.

    Raises:
        ConflictError: MAX_SUPPRESSED persons are suppressed.
    """
    persons = _suppressed(content)
    if person not in persons and len(persons) >= MAX_SUPPRESSED:
        raise ConflictError(f"{MAX_SUPPRESSED} ids are suppressed, the maximum. Release some.")
    persons = sorted({*persons, person})
    return _checked({"sources": content.get("sources", []), "suppressed": persons})


def release(content: Content, person: str) -> Content:
    """Return the content without a suppressed person."""
    persons = [other for other in _suppressed(content) if other != person]
    return {"sources": content.get("sources", []), "suppressed": persons}


def summary(content: Content) -> dict[str, Any]:
    """Return the sources without fingerprints, and the number of suppressed ids."""
    return {
        "sources": [
            {
                "id": source["id"],
                "enabled": source.get("enabled", True),
                "keys": len(source["keys"]),
                "deployed": bool(source.get("deployed")),
                "changed": bool(source.get("changed")),
                "settings": {key: source[key] for key in sorted(SETTINGS) if key in source},
            }
            for source in sorted(content.get("sources", []), key=lambda source: source["id"])
        ],
        "suppressed": len(_suppressed(content)),
    }


def has_changes(content: Content) -> bool:
    """Return whether a request has changed what deployments published."""
    sources = content.get("sources", [])
    return bool(_suppressed(content)) or any(
        source.get("changed") or not source.get("deployed") for source in sources
    )


def _change(content: Content, name: str, change: Any) -> Content:
    """Return the content with one changed source."""
    _find(content, name)
    return _checked(
        {
            "sources": [
                change(source) | {"changed": True} if source["id"] == name else source
                for source in content["sources"]
            ],
            "suppressed": _suppressed(content),
        }
    )


def _find(content: Content, name: str) -> dict[str, Any]:
    for source in content.get("sources", []):
        if source["id"] == name:
            return dict(source)
    raise UnknownSourceError(f"No source has the id {name}. The list of sources has all ids.")


def _settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := sorted(settings.keys() - SETTINGS):
        raise InvalidRequestError(
            f"{', '.join(unknown)}: no such settings. A source has {', '.join(sorted(SETTINGS))}."
        )
    return dict(settings)


def _suppressed(content: Content) -> list[str]:
    return list(content.get("suppressed", []))


def _checked(content: Content) -> Content:
    """Return the content if the collector accepts it.

    The collector refuses a whole snapshot with one invalid setting, and keeps the previous one.

    Raises:
        ConflictError: The content is too large.
        InvalidRequestError: A setting is invalid.
    """
    try:
        parse_published(content["sources"])
    except SettingsError as error:
        raise InvalidRequestError(f"{error}.") from error
    if len(json.dumps(content, separators=(",", ":"))) > MAX_CONTENT_BYTES:
        raise ConflictError(f"The settings of all sources exceed {MAX_CONTENT_BYTES} bytes.")
    return content
