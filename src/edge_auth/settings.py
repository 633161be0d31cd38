"""settings.json: parsed and checked once, when the function is published and when it starts.

AWS, "Restrictions on Lambda@Edge": no environment variables. The file lies at the root of the
package, beside this folder, and holds no secret: the app client is public.
"""

import re
from binascii import Error, a2b_base64

from edge_auth.errors import SettingsError

SCHEMA = 1
_ISSUER = re.compile(
    r"https://(?:issuer-)?cognito-idp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/[\w-]+_[0-9a-zA-Z]+"
)
_CLIENT = re.compile(r"[\w+]{1,128}")  # API_UserPoolClientType, ClientId
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[::1\])"
_ORIGIN = re.compile(rf"(https?)://({_HOST})(?::[0-9]{{1,5}})?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PATTERN = re.compile(r"/[A-Za-z0-9._~!$&'()+,=:@/*-]*")  # a decoded path; "*" is any text
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749, section 3.3

type Document = dict[str, object]
type Value = str | bool


class Requirement:
    """One claim that must hold any of, and all of, some values. None asks for nothing."""

    __slots__ = ("all", "any", "claim")

    def __init__(
        self, claim: str, any_of: frozenset[Value] | None, all_of: frozenset[Value] | None
    ) -> None:
        self.claim = claim
        self.any = any_of
        self.all = all_of


class Rule:
    """What one pattern of paths asks of a visitor."""

    __slots__ = ("_expression", "forwards_token", "path", "public", "requirements")

    def __init__(
        self,
        path: str,
        *,
        public: bool,
        requirements: tuple[Requirement, ...],
        forwards_token: bool = False,
    ) -> None:
        self.path = path
        self.public = public
        #: The origin judges by itself, and is shown the session's token.
        self.forwards_token = forwards_token
        self.requirements = requirements
        expression = ".*".join(map(re.escape, path.split("*")))
        # The bare name of a folder belongs to the folder: /premium is judged as /premium/ is.
        if path.endswith("/*"):
            expression = f"{expression[:-3]}(?:/.*)?"
        self._expression = re.compile(expression, re.DOTALL)

    def matches(self, path: str) -> bool:
        """True when the whole decoded path fits; "*" stands for any text, "/" included, as in the
        path pattern of a cache behaviour (CloudFront, "Path pattern")."""
        return self._expression.fullmatch(path) is not None


class Settings:
    """Everything that a deployment decides. Attributes carry the names of the keys."""

    def __init__(self, document: Document) -> None:
        """Raises SettingsError with a sentence that names the key."""
        unknown = sorted(document.keys() - _KEYS)
        if unknown:
            raise SettingsError(unknown[0], "is not a setting of edge_auth")
        if _whole(document, "schema", None, SCHEMA, SCHEMA) != SCHEMA:
            raise SettingsError("schema", f"must be {SCHEMA}")
        self.issuer = _matching(document, "issuer", _ISSUER, "the issuer of a Cognito user pool")
        self.client_id = _matching(document, "client_id", _CLIENT, "the id of an app client")
        self.token_use = _text(document, "token_use", "access")
        if self.token_use not in ("access", "id"):
            raise SettingsError("token_use", 'must be "access" or "id"')
        default = f"{self.issuer}/.well-known/jwks.json"
        self.jwks_uri = _address(document, "jwks_uri", default)
        self.jwks = _key_set(document)
        self.hosted_ui = _origin("hosted_ui", document.get("hosted_ui"))
        # An empty entry is passed over, so that a template can join an optional parameter.
        origins = filter(None, _list(document, "origins", []))
        self.origins = tuple(_origin("origins", value) for value in origins)
        self.upgrade_path = _path(document, "upgrade_path")
        self.signed_out_path = _path(document, "signed_out_path") or "/"
        self.index = _text(document, "index", "index.html")
        self.site_name = _text(document, "site_name", "Meridian")
        self.scopes = tuple(_scope(value) for value in _list(document, "scopes", ["openid"]))
        if "openid" not in self.scopes:
            raise SettingsError("scopes", 'must have "openid" among them: it brings the ID token')
        self.leeway = _whole(document, "leeway", 60, 0, 300)
        self.session_seconds = _whole(document, "session_seconds", 2_592_000, 3_600, 315_360_000)
        self.rules = tuple(
            _rule(f"rules[{index}]", value, self.token_use)
            for index, value in enumerate(_list(document, "rules", None))
        )
        if not self.rules:
            raise SettingsError("rules", "must have at least one rule")
        self._check_upgrade()

    def _check_upgrade(self) -> None:
        """Who is not entitled is sent to the upgrade page: that page must let them in."""
        if self.upgrade_path is None:
            return
        for rule in self.rules:
            if rule.matches(self.upgrade_path):
                if rule.requirements:
                    raise SettingsError("upgrade_path", f"is itself behind the rule {rule.path}")
                return


def parse(document: object) -> Settings:
    """The settings that a JSON document holds. Raises SettingsError."""
    if not isinstance(document, dict):
        raise SettingsError("settings.json", "must be a JSON object")
    return Settings(document)


_KEYS = frozenset({"schema", "issuer", "client_id", "token_use", "jwks_uri", "jwks"})
_KEYS |= {"hosted_ui", "origins", "rules", "upgrade_path", "signed_out_path", "index"}
_KEYS |= {"site_name", "scopes", "leeway", "session_seconds"}
_RULE_KEYS = frozenset({"path", "public", "forwards_token", "signed_in"})
_RULE_KEYS |= {"groups", "scopes", "claims"}


def _text(document: Document, key: str, default: str | None) -> str:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > 2_048:
        raise SettingsError(key, "must be a text" if key in document else "is missing")
    return value


def _matching(document: Document, key: str, pattern: re.Pattern[str], meaning: str) -> str:
    value = _text(document, key, None)
    if not pattern.fullmatch(value):
        raise SettingsError(key, f"must be {meaning}")
    return value


def _whole(document: Document, key: str, default: int | None, least: int, most: int) -> int:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise SettingsError(key, f"must be a whole number from {least} to {most}")
    return value


def _list(document: Document, key: str, default: list[str] | None) -> list[object]:
    value = document.get(key)
    if value is None and default is not None:
        return list(default)
    if not isinstance(value, list):
        raise SettingsError(key, "must be a list" if key in document else "is missing")
    return value


def _origin(key: str, value: object) -> str:
    """scheme://host[:port], https but for the loopback host. Lower case, as browsers send it."""
    found = _ORIGIN.fullmatch(value.lower()) if isinstance(value, str) else None
    if not found:
        raise SettingsError(key, "must be an origin such as https://school.example, without a path")
    if found[1] != "https" and found[2] not in _LOOPBACK:
        raise SettingsError(key, "must be https, since its host is not this machine")
    return found[0]


def _address(document: Document, key: str, default: str) -> str:
    value = _text(document, key, default)
    scheme, _, rest = value.partition("://")
    host, slash, path = rest.partition("/")
    if not slash or "?" in path or "#" in path or " " in path:
        raise SettingsError(key, "must be the address of a JWK set")
    _origin(key, f"{scheme}://{host}")
    return value


def _path(document: Document, key: str) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not _PATTERN.fullmatch(value) or "//" in value or "*" in value:
        raise SettingsError(key, "must be a path of this site, such as /upgrade.html")
    return value


def _scope(value: object) -> str:
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise SettingsError("scopes", "must be a list of scope names")
    return value


def _key_set(document: Document) -> Document:
    """The seeded key set, with at least one key that can verify."""
    value = document.get("jwks")
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(members, list):
        raise SettingsError("jwks", 'must be a JWK set: {"keys": [...]}')
    if not any(_is_signing_key(member) for member in members):
        raise SettingsError("jwks", "has no RSA signing key of at least 2048 bits with e = 65537")
    return value


def _is_signing_key(jwk: object) -> bool:
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or jwk.get("e") != "AQAB":
        return False
    modulus, kid = jwk.get("n"), jwk.get("kid")
    if not isinstance(modulus, str) or not isinstance(kid, str) or not kid:
        return False
    try:
        number = a2b_base64(modulus.replace("-", "+").replace("_", "/") + "==")
    except (Error, ValueError):
        return False
    return int.from_bytes(number).bit_length() >= 2_048


def _rule(key: str, value: object, token_use: str) -> Rule:
    if not isinstance(value, dict):
        raise SettingsError(key, "must be an object")
    path = value.get("path")
    if (
        not isinstance(path, str)
        or not _PATTERN.fullmatch(path)
        or any(part in path for part in ("//", "/./", "/../"))
        or path.endswith(("/.", "/.."))
    ):
        raise SettingsError(f"{key}.path", "must be a decoded path pattern such as /premium/*")
    unknown = sorted(value.keys() - _RULE_KEYS)
    if unknown:
        raise SettingsError(f"{key}.{unknown[0]}", "is not a part of a rule")
    public, signed_in = _flag(key, value, "public"), _flag(key, value, "signed_in")
    forwards = _flag(key, value, "forwards_token")
    requirements = tuple(_requirements(key, value, token_use))
    if public + forwards + (signed_in or bool(requirements)) != 1:
        raise SettingsError(
            key,
            "must be public, or forwards_token, or signed_in, or ask for groups, scopes or claims",
        )
    return Rule(path, public=public, requirements=requirements, forwards_token=forwards)


def _flag(key: str, rule: Document, name: str) -> bool:
    value = rule.get(name, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{key}.{name}", "must be true or false")
    return value


def _requirements(key: str, rule: Document, token_use: str) -> list[Requirement]:
    found = []
    if rule.get("groups") is not None:
        found.append(_requirement(f"{key}.groups", "cognito:groups", rule["groups"]))
    if rule.get("scopes") is not None:
        if token_use == "id":  # noqa: S105 # a kind of token
            raise SettingsError(f"{key}.scopes", "need token_use access: an ID token has no scope")
        found.append(_requirement(f"{key}.scopes", "scope", rule["scopes"]))
    claims = rule.get("claims")
    if claims is not None:
        if not isinstance(claims, dict) or not claims:
            raise SettingsError(f"{key}.claims", "must be an object of claim names")
        for name, wanted in claims.items():
            single = isinstance(wanted, (str, bool))
            asked = {"any": [wanted]} if single else wanted
            found.append(_requirement(f"{key}.claims.{name}", name, asked))
    return found


def _requirement(key: str, claim: str, value: object) -> Requirement:
    if not isinstance(value, dict) or not value or value.keys() - {"any", "all"}:
        raise SettingsError(key, 'must be {"any": [...]} or {"all": [...]}')
    sets: dict[str, frozenset[Value]] = {}
    for word, members in value.items():
        if (
            not isinstance(members, list)
            or not members
            or not all(isinstance(member, (str, bool)) and member != "" for member in members)
        ):
            raise SettingsError(f"{key}.{word}", "must be a list of values, not empty")
        sets[word] = frozenset(members)
    return Requirement(claim, sets.get("any"), sets.get("all"))
