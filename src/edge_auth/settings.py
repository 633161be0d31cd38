"""Parse and validate edge_auth's settings.json.

Lambda@Edge doesn't support environment variables (AWS, "Restrictions on Lambda@Edge"), so
edge_settings adds the file to the package's root when it publishes the function. It validates the
settings with this module at deployment, and the handler does so at cold start. The file contains no
secret: the app client is public.

The module is separate from edge_ingest.settings because the two documents have no key in common
except `schema`, and because shared code would count towards this package's limit of 64 KB.
"""

import re
from typing import Final

from edge_auth.errors import SettingsError
from edge_auth.jwks import parse_moduli
from edge_auth.rule_settings import ANY_CHARACTER, PATH_PATTERN, PathRule, parse_rule, sample_paths

SCHEMA: Final = 1
_ISSUER: Final = re.compile(
    r"https://(?:issuer-)?cognito-idp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[\w-]+_[0-9a-zA-Z]+"
)
_CLIENT_ID: Final = re.compile(r"[\w+]{1,128}")  # API_UserPoolClientType, ClientId
_PROVIDER: Final = re.compile(r"[\w.-]{1,32}")  # API_CreateIdentityProvider, ProviderName
_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[::1\])"
_ORIGIN: Final = re.compile(rf"(https?)://({_HOST})(?::[0-9]{{1,5}})?")
_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_RESOURCE: Final = re.compile(r"(?:https://|http://localhost\b)[!-~]{1,2000}")
_AUTH_PREFIX: Final = "/auth/"  # paths.AUTH_PATH_PREFIX, in a package without that module
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3

type Document = dict[str, object]


class Site:
    """A site's name, and the paths of its logo, a script and a font. Empty paths load nothing."""

    __slots__ = ("font", "logo", "name", "script")

    def __init__(self, name: str, logo: str = "", script: str = "", font: str = "") -> None:
        """`script` is a module, such as one that translates the page; `font` is a WOFF2 file."""
        self.font = font
        self.name = name
        self.logo = logo
        self.script = script


#: While the settings can't be read.
UNNAMED: Final = Site("")


class SnapshotSettings:
    """Where a signed snapshot is, and the keys that sign it."""

    __slots__ = ("jwks", "max_age_s", "origin")

    def __init__(self, jwks: dict[str, int], origin: str, max_age_s: int) -> None:
        self.jwks = jwks
        self.max_age_s = max_age_s
        #: Scheme and host; empty for the distribution's own domain name.
        self.origin = origin


class Settings:
    """The validated settings. Attributes have the names of the JSON keys."""

    def __init__(self, document: Document) -> None:
        """Validate a document.

        Raises:
            SettingsError: A setting is missing, unknown or invalid; `key` names it.
        """
        unknown = sorted(document.keys() - _KEYS)
        if unknown:
            raise SettingsError(unknown[0], "isn't a setting of edge_auth")
        if _integer(document, "schema", None, SCHEMA, SCHEMA) != SCHEMA:
            raise SettingsError("schema", f"must be {SCHEMA}")
        self.issuer = _matching(
            document, "issuer", _ISSUER, "the issuer URL of a Cognito user pool"
        )
        #: Other forms of the issuer, while the user pool changes from one to the other.
        self.other_issuers = _names(document, "other_issuers", _ISSUER)
        pool = self.issuer.rpartition("/")[2]
        if any(it.rpartition("/")[2] != pool for it in self.other_issuers):
            raise SettingsError("other_issuers", "must be issuer URLs of the issuer's user pool")
        self.client_id = _matching(document, "client_id", _CLIENT_ID, "an app client ID")
        #: The app clients whose tokens open pages: the site's own one, and others of the pool.
        self.clients = (self.client_id, *_names(document, "other_clients", _CLIENT_ID))
        #: The identity providers that a sign-in link may name.
        self.identity_providers = _names(document, "identity_providers", _PROVIDER)
        self.token_use = _text(document, "token_use", "access")
        if self.token_use not in ("access", "id"):
            raise SettingsError("token_use", 'must be "access" or "id"')
        default = f"{self.issuer}/.well-known/jwks.json"
        self.jwks_uri = _jwks_uri(document, "jwks_uri", default)
        self.jwks = _key_moduli("jwks", document.get("jwks"))
        #: When the key set was downloaded, in seconds since the epoch; 0 if unknown.
        self.jwks_time = _integer(document, "jwks_time", 0, 0, 2**53)
        self.audience = _audience(document)
        self.revocations = _snapshot(document, "revocations")
        self.hosted_ui = _origin("hosted_ui", document.get("hosted_ui"))
        # Empty entries are skipped, so that a template can join an optional parameter.
        origins = filter(None, _list(document, "origins", []))
        self.origins = tuple(_origin("origins", value) for value in origins)
        self.upgrade_path = _path(document, "upgrade_path")
        self.signed_out_path = _path(document, "signed_out_path") or "/"
        self.index = _text(document, "index", "index.html")
        self.site = Site(
            _text(document, "site_name", "Meridian"),
            _path(document, "logo_path") or "",
            _path(document, "script_path") or "",
            _path(document, "font_path") or "",
        )
        self.scopes = tuple(_scope(value) for value in _list(document, "scopes", ["openid"]))
        if "openid" not in self.scopes:
            raise SettingsError(
                "scopes", 'must contain "openid", which makes Cognito return an ID token'
            )
        self.leeway = _integer(document, "leeway", 60, 0, 300)
        self.session_seconds = _integer(document, "session_seconds", 2_592_000, 3_600, 315_360_000)
        self.rules = tuple(
            parse_rule(f"rules[{index}]", value, self.token_use)
            for index, value in enumerate(_list(document, "rules", None))
        )
        if not self.rules:
            raise SettingsError("rules", "must contain at least one rule")
        self._check_rules()
        self._check_upgrade_path()

    def find_rule(self, path: str) -> PathRule | None:
        """Return the first rule that matches a decoded path, or None: the path is denied."""
        return next((rule for rule in self.rules if rule.matches(path)), None)

    def _check_rules(self) -> None:
        """Require that each rule decides about some path, and that paths are closed by default.

        Raises:
            SettingsError: A rule never applies, or makes every remaining path public.
        """
        for index, rule in enumerate(self.rules):
            key, samples = f"rules[{index}].path", sample_paths(rule.path)
            if all(f"{path}/".startswith(_AUTH_PREFIX) for path in samples):
                raise SettingsError(key, "is below /auth/, where no rule applies")
            earlier = self.rules[:index]
            if all(any(it.matches(path) for it in earlier) for path in samples):
                raise SettingsError(
                    key, f"is never reached: earlier rules match every path of {rule.path}"
                )
            if rule.app_page and (rule.parameters or self.find_rule(rule.app_page) is not rule):
                raise SettingsError(
                    f"rules[{index}].app_page", f"must be a path that the rule {rule.path} decides"
                )
            if rule.public and rule.matches(f"/{ANY_CHARACTER}"):
                raise SettingsError(
                    key, "makes every other path public, also mistyped ones: name the public paths"
                )

    def _check_upgrade_path(self) -> None:
        """Require that users without entitlement, who are redirected to the page, can open it.

        Raises:
            SettingsError: A path rule protects the page.
        """
        if self.upgrade_path is None:
            return
        for rule in self.rules:
            if rule.matches(self.upgrade_path):
                if rule.requirements:
                    raise SettingsError(
                        "upgrade_path", f"must be accessible, but the rule {rule.path} protects it"
                    )
                return


def parse(document: object) -> Settings:
    """Return the settings in a JSON document.

    Raises:
        SettingsError: The document isn't an object or has an invalid setting.
    """
    if not isinstance(document, dict):
        raise SettingsError("settings.json", "must contain a JSON object")
    return Settings(document)


_KEYS: Final = frozenset(
    [
        *("schema", "issuer", "client_id", "token_use", "jwks_uri", "jwks", "jwks_time"),
        *("audience", "hosted_ui", "revocations", "other_clients", "identity_providers"),
        "other_issuers",
        *("origins", "rules", "upgrade_path", "signed_out_path", "index", "site_name"),
        *("logo_path", "script_path", "font_path"),
        *("scopes", "leeway", "session_seconds"),
    ]
)


def _text(document: Document, key: str, default: str | None) -> str:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > 2_048:
        raise SettingsError(key, "must be a string" if key in document else "is missing")
    return value


def _matching(document: Document, key: str, pattern: re.Pattern[str], meaning: str) -> str:
    value = _text(document, key, None)
    if not pattern.fullmatch(value):
        raise SettingsError(key, f"must be {meaning}")
    return value


def _integer(document: Document, key: str, default: int | None, minimum: int, maximum: int) -> int:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise SettingsError(key, f"must be an integer from {minimum} to {maximum}")
    return value


def _list(document: Document, key: str, default: list[str] | None) -> list[object]:
    value = document.get(key)
    if value is None and default is not None:
        return list(default)
    if not isinstance(value, list):
        raise SettingsError(key, "must be a list" if key in document else "is missing")
    return value


def _names(document: Document, key: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    names = _list(document, key, [])
    if not all(isinstance(name, str) and pattern.fullmatch(name) for name in names):
        raise SettingsError(key, "must be a list of names")
    return tuple(map(str, names))


def _origin(key: str, value: object) -> str:
    """Return scheme://host[:port] in lower case. Only a loopback host may use http.

    Raises:
        SettingsError: The value isn't an origin, or uses http for another host.
    """
    match = _ORIGIN.fullmatch(value.lower()) if isinstance(value, str) else None
    if not match:
        raise SettingsError(key, "must be an origin such as https://school.example, without a path")
    if match[1] != "https" and match[2] not in _LOOPBACK_HOSTS:
        raise SettingsError(key, "must use https unless the host is a loopback host")
    return match[0]


def _jwks_uri(document: Document, key: str, default: str) -> str:
    value = _text(document, key, default)
    scheme, _, rest = value.partition("://")
    host, slash, path = rest.partition("/")
    if not slash or "?" in path or "#" in path or " " in path:
        raise SettingsError(key, "must be the URL of a JWK set")
    _origin(key, f"{scheme}://{host}")
    return value


def _path(document: Document, key: str) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if (
        not isinstance(value, str)
        or not PATH_PATTERN.fullmatch(value)
        or "//" in value
        or "*" in value
    ):
        raise SettingsError(key, "must be a path of this site, such as /upgrade.html")
    return value


def _scope(value: object) -> str:
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise SettingsError("scopes", "must be a list of scope names")
    return value


def _audience(document: Document) -> str | None:
    """Return the resource that access tokens must be bound to (RFC 8707), if there is one.

    AWS, "Authorize endpoint", `resource`: a URL that begins with https:// or http://localhost.

    Raises:
        SettingsError: The value isn't such a URL, or the session's token is an ID token.
    """
    value = document.get("audience")
    if value is None:
        return None
    if not isinstance(value, str) or not _RESOURCE.fullmatch(value):
        raise SettingsError("audience", "must be a URL such as https://school.example/pages")
    if document.get("token_use") == "id":
        raise SettingsError(
            "audience", "requires token_use access, because an ID token's audience is the client"
        )
    return value


def _snapshot(document: Document, key: str) -> SnapshotSettings | None:
    """Return the settings of a signed snapshot, or None if the site has none.

    Raises:
        SettingsError: The value has another key than `jwks` and `origin`, or one is invalid.
    """
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() - {"jwks", "origin", "max_age_s"}:
        raise SettingsError(key, 'must be {"jwks": {"keys": [...]}, "origin": "https://..."}')
    origin = value.get("origin")
    return SnapshotSettings(
        _key_moduli(f"{key}.jwks", value.get("jwks")),
        _origin(f"{key}.origin", origin) if origin else "",
        # With the time to publish, a change takes effect within a minute.
        _integer(value, "max_age_s", 55, 1, 55),
    )


def _key_moduli(key: str, value: object) -> dict[str, int]:
    """Return a key set, which must contain a key that can verify RS256 signatures.

    Raises:
        SettingsError: The value isn't a key set, or contains no such key.
    """
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(members, list):
        raise SettingsError(key, 'must be a JWK set: {"keys": [...]}')
    moduli = parse_moduli(value)
    if not moduli:
        raise SettingsError(
            key, "must contain an RS256 signing key with 2048 to 4096 bits and e = 65537"
        )
    return moduli
