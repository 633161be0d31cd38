"""The deployment's settings: parse and validate `settings.json` at the root of the package.

`handler` loads them at a cold start; `edge_settings` validates them before it publishes a version.
This module imports only the standard library, `errors` and the parser of plans, so that
`edge_settings` can include it without msgspec. It shares no code with `edge_auth.settings`: the
functions are separate packages, a shared module would save about 30 lines, and `edge_auth` uses
regular expressions, which this module avoids: compiling one slows down the cold start. Format:

    {"schema": 1,
     "stream": "meridian-prod-events",            the stream's name, the same in each Region
     "regions": ["us-east-1", "eu-west-2"],       Regions with such a stream
     "sources": [{
        "id": "portal",                           the source's name in the data lake
        "write_key": "…",
        "privacy": {
           "ip": "truncate",                      or "hash" (daily salt), "drop"
           "gpc": "anonymise", "dnt": "anonymise",    or "ignore"
           "keep": ["properties.lesson"],         fields that anonymised events keep besides a few
           "drop": ["context.traits.email"],      dotted paths; `*` matches any key
           "hash": ["traits.phone"],
           "consent": {"categories": ["analytics"], "missing": "allow"}},    or "deny"
        "rate_limit": {"events_per_second": 100, "burst": 500},    optional, per environment
        "origins": ["https://school.example"],    pages that may send events; default: any
        "limits": {"event_bytes": 65536, "batch_bytes": 4194304, "batch_events": 2500},
        "plan": {…},                             optional tracking plan, see `plan_settings`
        "cookie": {"enabled": false, "name": "mid", "days": 365, "same_site": "Lax"}}],
     "salt": "…",                                 at least 16 characters; required for "hash"
     "limits": {…},                               of sources without a limit of their own
     "snapshot": {                                optional: sources that change without a deployment
        "jwks": {…}, "max_age_s": 55,             its public keys, and how often it is read
        "origin": "https://school.example"},      default: the distribution's domain name
     "suppression_key": "…",                      keys the fingerprints of suppressed persons
     "log_sample": 0.01}                          share of successful requests in the log

Unknown keys are errors: with a typing error in a privacy rule, the rule would have no effect.
"""

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, cast

from edge_ingest.errors import SettingsError

if TYPE_CHECKING:
    from edge_ingest.plan_settings import Plan

SCHEMA: Final = 1

#: Fields of a source in the snapshot that aren't settings: `deployed` and `changed` are notes.
PUBLISHED_FIELDS: Final = ("keys", "enabled", "deployed", "changed")

type IpRule = Literal["truncate", "hash", "drop"]
type SignalRule = Literal["anonymise", "ignore"]

# Sets of characters: compiling a regular expression slows down the cold start.
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz0123456789-"
_NAME: Final = _LOWER + _LOWER[:26].upper() + "_."  # Kinesis, CreateStream: StreamName
_COOKIE: Final = _NAME.replace(".", "")
# A colon ends the user name in Basic credentials (RFC 7617 §2), so a key can't contain one.
_KEY: Final = "".join(map(chr, range(0x21, 0x7F))).replace(":", "")


class Consent(NamedTuple):
    """Consent categories that an event needs. `deny_missing` rejects events without a statement."""

    categories: tuple[str, ...] = ()
    deny_missing: bool = False


class Privacy(NamedTuple):
    """A source's privacy rules. `drop`, `hash` and `keep` are paths of keys."""

    ip: IpRule = "truncate"
    gpc: SignalRule = "anonymise"
    dnt: SignalRule = "anonymise"
    drop: tuple[tuple[str, ...], ...] = ()
    hash: tuple[tuple[str, ...], ...] = ()
    keep: tuple[tuple[str, ...], ...] = ()
    consent: Consent = Consent()


class RateLimit(NamedTuple):
    """A token bucket's refill rate and capacity in events, per execution environment."""

    events_per_second: float
    burst: float


class Cookie(NamedTuple):
    """The first-party visitor cookie. `days` is its lifetime."""

    name: str = "mid"
    days: int = 365
    same_site: str = "Lax"


class Limits(NamedTuple):
    """Request limits of a source. `batch_bytes` applies to the decompressed body.

    Segment's API accepts 32 KB an event and 500 KB a batch; RudderStack's SDKs send 64 KB and, in
    browsers, 512 KB. CloudFront passes at most 1 MB of a body to the function. JSON compresses to a
    fourth at least, and four times 1 MB fits into the function's 128 MB with all its copies.
    """

    event_bytes: int = 64 * 1024
    batch_bytes: int = 4 * 1024 * 1024
    batch_events: int = 2500


class Source(NamedTuple):
    """A sender of events, such as a website. `cookie` and `rate_limit` are None if disabled.

    `origins` is empty if any page may send events. It can contain `null`, the origin of sandboxed
    frames and local files, and `file://`, which Android's web views send.
    """

    id: str
    write_key: str
    privacy: Privacy = Privacy()
    rate_limit: RateLimit | None = None
    cookie: Cookie | None = None
    limits: Limits = Limits()
    origins: tuple[str, ...] = ()
    plan: "Plan | None" = None


class Snapshot:
    """Where the collector reads the signed snapshot of its sources, and how often."""

    __slots__ = ("jwks", "max_age_s", "origin")

    def __init__(self, jwks: dict[str, Any], origin: str, max_age_s: float) -> None:
        self.jwks = jwks
        self.origin = origin
        self.max_age_s = max_age_s


class Settings(NamedTuple):
    """A deployment's validated settings."""

    stream: str
    regions: tuple[str, ...]
    sources: dict[str, Source]  # by write key
    salt: str | None = None
    log_sample: float = 0.01
    snapshot: Snapshot | None = None
    suppression_key: str = ""


def load(text: str) -> Settings:
    """Return the settings in the text of `settings.json`.

    Raises:
        SettingsError: The text isn't JSON or a setting is invalid.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SettingsError("settings.json", "must be valid JSON") from error
    return parse(document)


def parse(document: object) -> Settings:
    """Return the settings in a parsed document.

    Raises:
        SettingsError: A setting is invalid; `key` is its path.
    """
    top = _object(
        document,
        "settings",
        {
            *("schema", "stream", "regions", "sources", "salt", "limits", "log_sample"),
            *("snapshot", "suppression_key"),
        },
    )
    if top.get("schema") != SCHEMA:
        raise SettingsError("schema", f"must be {SCHEMA}")
    regions = tuple(
        _text(region, f"regions[{n}]", _LOWER, 32)
        for n, region in enumerate(_list(top.get("regions"), "regions", min_items=1))
    )
    if len(set(regions)) != len(regions):
        raise SettingsError("regions", "must not contain a Region twice")
    salt = top.get("salt")
    if salt is not None and (not isinstance(salt, str) or len(salt) < 16):
        raise SettingsError("salt", "must be a string of at least 16 characters")
    sample = _number(top.get("log_sample", 0.01), "log_sample", 0, 1)
    limits = _limits(top.get("limits", {}), "limits", Limits())
    sources = _sources(top.get("sources"), limits, salted=salt is not None)
    return Settings(
        stream=_text(top.get("stream"), "stream", _NAME),
        regions=regions,
        sources=sources,
        salt=salt,
        log_sample=sample,
        snapshot=_snapshot(top.get("snapshot")),
        suppression_key=_optional_text(top.get("suppression_key"), "suppression_key"),
    )


def parse_published(document: object, *, salted: bool = True) -> dict[str, Source]:
    """Return the enabled sources in a snapshot's content, by the fingerprints of their write keys.

    Each has the settings of a source, `keys` in place of `write_key`, `enabled`, and notes of its
    publisher. A returned source has no write key.

    Raises:
        SettingsError: A setting is invalid; `key` is its path.
    """
    sources: dict[str, Source] = {}
    for n, entry in enumerate(_list(document, "sources")):
        where = f"sources[{n}]"
        fields = dict(_object(entry, where, {*Source._fields, *PUBLISHED_FIELDS} - {"write_key"}))
        keys = _list(fields.pop("keys", None), f"{where}.keys")
        enabled = fields.pop("enabled", True)
        for name in PUBLISHED_FIELDS:
            fields.pop(name, None)
        source = _source(fields | {"write_key": "-"}, where, Limits(), salted=salted)
        if enabled is True:
            published = source._replace(write_key="")
            sources |= {_text(key, f"{where}.keys[{i}]"): published for i, key in enumerate(keys)}
    return sources


def _snapshot(value: object) -> Snapshot | None:
    if value is None:
        return None
    item = _object(value, "snapshot", set(Snapshot.__slots__))
    return Snapshot(
        jwks=_object(item.get("jwks"), "snapshot.jwks", {"keys"}),
        origin=_optional_text(item.get("origin"), "snapshot.origin"),
        max_age_s=_number(item.get("max_age_s", 55), "snapshot.max_age_s", 1, 3600),
    )


def _optional_text(value: object, key: str) -> str:
    return "" if value in (None, "") else _text(value, key)


def _sources(value: object, limits: Limits, *, salted: bool) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for n, item in enumerate(_list(value, "sources", min_items=1)):
        source = _source(item, f"sources[{n}]", limits, salted=salted)
        if source.write_key in sources:
            raise SettingsError(f"sources[{n}].write_key", "must be unique among the sources")
        if source.id in {other.id for other in sources.values()}:
            raise SettingsError(f"sources[{n}].id", "must be unique among the sources")
        sources[source.write_key] = source
    return sources


def _source(value: object, key: str, limits: Limits, *, salted: bool) -> Source:
    item = _object(value, key, set(Source._fields))
    rate: RateLimit | None = None
    if item.get("rate_limit") is not None:
        where = f"{key}.rate_limit"
        rate_limit = _object(item["rate_limit"], where, {"events_per_second", "burst"})
        speed = _number(
            rate_limit.get("events_per_second"), f"{where}.events_per_second", 0.001, 1_000_000
        )
        burst = _number(rate_limit.get("burst", max(1.0, speed)), f"{where}.burst", 1, 10_000_000)
        rate = RateLimit(speed, burst)
    return Source(
        id=_text(item.get("id"), f"{key}.id", _NAME, 64),
        write_key=_text(item.get("write_key"), f"{key}.write_key", _KEY),
        privacy=_privacy(item.get("privacy", {}), f"{key}.privacy", salted=salted),
        rate_limit=rate,
        cookie=_cookie(item.get("cookie", {}), f"{key}.cookie"),
        limits=_limits(item.get("limits", {}), f"{key}.limits", limits),
        origins=tuple(
            _origin(origin, f"{key}.origins[{n}]")
            for n, origin in enumerate(_list(item.get("origins", []), f"{key}.origins"))
        ),
        plan=_plan(item.get("plan"), f"{key}.plan"),
    )


def _plan(value: object, key: str) -> "Plan | None":
    if value is None:
        return None
    from edge_ingest.plan_settings import SchemaError, parse_plan

    try:
        return parse_plan(value)
    except SchemaError as error:
        raise SettingsError(key, str(error)) from error


def _origin(value: object, key: str) -> str:
    origin = _text(value, key)
    scheme, _, host = origin.partition("://")
    host = host.removeprefix("*.")
    is_web = scheme in ("http", "https") and host and set(host) <= set(_LOWER + ".:[]")
    if not is_web and origin not in ("null", "file://"):
        raise SettingsError(
            key, "must be an origin such as https://school.example, in lower case without a path"
        )
    return origin


def _privacy(value: object, key: str, *, salted: bool) -> Privacy:
    item = _object(value, key, set(Privacy._fields))
    ip = _choice(item.get("ip", "truncate"), f"{key}.ip", ("truncate", "hash", "drop"))
    hashed = _paths(item.get("hash", []), f"{key}.hash")
    if (ip == "hash" or hashed) and not salted:
        raise SettingsError("salt", f"is required, because {key} hashes values")
    consent = _object(item.get("consent", {}), f"{key}.consent", {"categories", "missing"})
    categories = _list(consent.get("categories", []), f"{key}.consent.categories")
    missing = _choice(consent.get("missing", "allow"), f"{key}.consent.missing", ("allow", "deny"))
    signals = ("anonymise", "ignore")
    return Privacy(
        ip=cast("IpRule", ip),
        gpc=cast("SignalRule", _choice(item.get("gpc", "anonymise"), f"{key}.gpc", signals)),
        dnt=cast("SignalRule", _choice(item.get("dnt", "anonymise"), f"{key}.dnt", signals)),
        drop=_paths(item.get("drop", []), f"{key}.drop"),
        hash=hashed,
        keep=_paths(item.get("keep", []), f"{key}.keep"),
        consent=Consent(
            categories=tuple(
                _text(category, f"{key}.consent.categories[{n}]")
                for n, category in enumerate(categories)
            ),
            deny_missing=missing == "deny",
        ),
    )


def _cookie(value: object, key: str) -> Cookie | None:
    item = _object(value, key, {"enabled", "name", "days", "same_site"})
    enabled = item.get("enabled", False)
    if not isinstance(enabled, bool):
        raise SettingsError(f"{key}.enabled", "must be true or false")
    cookie = Cookie(
        name=_text(item.get("name", "mid"), f"{key}.name", _COOKIE, 64),
        # RFC 6265bis §5.5: user agents keep a cookie for at most 400 days.
        days=int(_number(item.get("days", 365), f"{key}.days", 1, 400)),
        same_site=_choice(item.get("same_site", "Lax"), f"{key}.same_site", ("Lax", "None")),
    )
    return cookie if enabled else None


def _limits(value: object, key: str, defaults: Limits) -> Limits:
    item = _object(value, key, set(Limits._fields))
    # Lambda@Edge quotas: CloudFront truncates the body of an origin request at 1 MB. A generated
    # response can have 1 MB, which is enough to list 5,000 rejected events.
    maximums = {"event_bytes": 256 * 1024, "batch_bytes": 4 * 1024 * 1024, "batch_events": 5000}
    return Limits(
        **{
            name: int(_number(item.get(name, default), f"{key}.{name}", 1, maximums[name]))
            for name, default in zip(Limits._fields, defaults, strict=True)
        }
    )


def _paths(value: object, key: str) -> tuple[tuple[str, ...], ...]:
    paths = [
        tuple(_text(path, f"{key}[{n}]").split(".")) for n, path in enumerate(_list(value, key))
    ]
    for n, path in enumerate(paths):
        if not all(path):
            raise SettingsError(f"{key}[{n}]", "must be a path such as context.traits.email")
    return tuple(paths)


def _object(value: object, key: str, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(key, "must be an object")
    for name in value:
        if name not in allowed:
            raise SettingsError(f"{key}.{name}", "is an unknown setting")
    return value


def _list(value: object, key: str, min_items: int = 0) -> list[object]:
    if not isinstance(value, list) or len(value) < min_items:
        raise SettingsError(key, f"must be a list with at least {min_items} items")
    return value


def _text(value: object, key: str, allowed: str = "", max_chars: int = 128) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
        raise SettingsError(key, f"must be a string of 1 to {max_chars} characters")
    if allowed and not set(value) <= set(allowed):
        raise SettingsError(key, f"must contain only these characters: {allowed}")
    return value


def _choice(value: object, key: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise SettingsError(key, f"must be one of {', '.join(choices)}")
    return value


def _number(value: object, key: str, minimum: float, maximum: float) -> float:
    # In Python bool is a subclass of int.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(key, "must be a number")
    if not minimum <= value <= maximum:
        raise SettingsError(key, f"must be a number from {minimum} to {maximum}")
    return value
