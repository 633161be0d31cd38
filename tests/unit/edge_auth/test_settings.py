"""Settings: an invalid one raises an error that names it."""

import json
from typing import Any

import pytest

from edge_auth.errors import SettingsError
from edge_auth.settings import parse
from tests.unit.edge_auth import issuer

RULE = {"path": "/free/*", "public": True}
APP = {"path": "/app/*", "signed_in": True}
COURSE = {"path": "/c/{course}/*", "claims": {"courses": {"any": ["{course}"]}}}
PAID = {"path": "/premium/*", "groups": {"any": ["paying"]}}


def test_defaults_are_applied() -> None:
    settings = parse(json.loads(json.dumps(issuer.settings())))
    assert settings.token_use == "access"
    assert settings.jwks_uri == f"{issuer.ISSUER}/.well-known/jwks.json"
    assert settings.scopes == ("openid",)


@pytest.mark.parametrize("key", ["schema", "issuer", "client_id", "jwks", "hosted_ui", "rules"])
def test_missing_setting_is_named_in_error(key: str) -> None:
    document = issuer.settings()
    del document[key]
    with pytest.raises(SettingsError, match=key) as raised:
        parse(document)
    assert raised.value.key == key


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"schema": 2}, "schema"),
        ({"schema": True}, "schema"),
        ({"isuer": "typo"}, "isuer"),
        ({"issuer": "https://evil.example/us-east-1_Example1"}, "issuer"),
        ({"issuer": issuer.ISSUER + "/"}, "issuer"),
        ({"issuer": issuer.ISSUER.replace("https", "http")}, "issuer"),
        ({"client_id": "a b"}, "client_id"),
        ({"token_use": "refresh"}, "token_use"),
        ({"jwks_uri": "http://keys.example/jwks.json"}, "jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"jwks_uri": "https://keys.example"}, "jwks_uri"),
        ({"jwks_time": -1}, "jwks_time"),
        ({"jwks_time": 1.5}, "jwks_time"),
        ({"audience": "school"}, "audience"),
        ({"audience": "http://school.example"}, "audience"),
        ({"audience": "http://localhostile.example"}, "audience"),
        ({"audience": "https://school.example/a b"}, "audience"),
        ({"audience": "https://school.example", "token_use": "id"}, "audience"),
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": []}, "jwks"),
        ({"jwks": {"keys": [issuer.jwk("small", 2_047)]}}, "jwks"),
        ({"jwks": {"keys": [issuer.jwk(e="Aw")]}}, "jwks"),
        ({"jwks": {"keys": [issuer.jwk(use="enc")]}}, "jwks"),
        ({"jwks": {"keys": [issuer.jwk(alg="RS512")]}}, "jwks"),
        ({"jwks": {"keys": [issuer.jwk(key_ops=["sign"])]}}, "jwks"),
        ({"jwks": {"keys": [issuer.jwk() | {"kid": "k" * 257}]}}, "jwks"),
        ({"hosted_ui": "http://school.example"}, "hosted_ui"),
        ({"hosted_ui": "https://school.example/path"}, "hosted_ui"),
        ({"hosted_ui": "https://user@school.example"}, "hosted_ui"),
        ({"origins": ["http://school.example"]}, "origins"),
        ({"origins": "https://school.example"}, "origins"),
        ({"upgrade_path": "https://evil.example"}, "upgrade_path"),
        ({"upgrade_path": "//evil.example"}, "upgrade_path"),
        ({"upgrade_path": "/premium/upgrade.html"}, "upgrade_path"),
        ({"signed_out_path": "nowhere"}, "signed_out_path"),
        ({"index": 7}, "index"),
        ({"scopes": ["email"]}, "scopes"),
        ({"scopes": ["openid", "a b"]}, "scopes"),
        ({"leeway": -1}, "leeway"),
        ({"leeway": 301}, "leeway"),
        ({"leeway": "60"}, "leeway"),
        ({"session_seconds": 3_599}, "session_seconds"),
        ({"rules": []}, "rules"),
        ({"rules": {}}, "rules"),
        ({"rules": [7]}, "rules[0]"),
        ({"rules": [RULE, {"public": True}]}, "rules[1].path"),
        ({"rules": [{"path": "premium/*", "public": True}]}, "rules[0].path"),
        ({"rules": [{"path": "/a/../b", "public": True}]}, "rules[0].path"),
        ({"rules": [{"path": "/a%20b", "public": True}]}, "rules[0].path"),
        ({"rules": [{"path": "/a?b", "public": True}]}, "rules[0].path"),
        ({"rules": [{"path": "/a;b", "public": True}]}, "rules[0].path"),
        # A rule that is never reached.
        ({"rules": [PAID, RULE, PAID]}, "rules[2].path"),
        ({"rules": [RULE, {"path": "/free/a/*", "signed_in": True}]}, "rules[1].path"),
        ({"rules": [{"path": "/*", "signed_in": True}, PAID]}, "rules[1].path"),
        (
            {
                "rules": [
                    {"path": "/*.mp4", "signed_in": True},
                    RULE,
                    {"path": "/a.mp4", "public": True},
                ]
            },
            "rules[2].path",
        ),
        (
            {
                "rules": [
                    {"path": "/p", "public": True},
                    {"path": "/p/*", "public": True},
                    {"path": "/p*x", "public": True},
                    {"path": "/p/*y", "signed_in": True},
                ]
            },
            "rules[3].path",
        ),
        ({"rules": [PAID, {"path": "/auth/*", "public": True}]}, "rules[1].path"),
        ({"rules": [PAID, {"path": "/auth", "public": True}]}, "rules[1].path"),
        ({"rules": [PAID, {"path": "/auth/x", "signed_in": True}]}, "rules[1].path"),
        # A rule that opens every path that no other rule names.
        ({"rules": [PAID, {"path": "/*", "public": True}]}, "rules[1].path"),
        ({"rules": [{"path": "/*", "public": True}, PAID]}, "rules[0].path"),
        ({"rules": [{"path": "/*"}]}, "rules[0]"),
        ({"rules": [{"path": "/*", "public": False}]}, "rules[0]"),
        ({"rules": [{"path": "/*", "public": "true"}]}, "rules[0].public"),
        ({"rules": [{"path": "/*", "public": True, "signed_in": True}]}, "rules[0]"),
        ({"rules": [{"path": "/*", "public": True, "groups": {"any": ["a"]}}]}, "rules[0]"),
        ({"rules": [{"path": "/*", "group": "paying"}]}, "rules[0].group"),
        ({"rules": [{"path": "/*", "groups": ["paying"]}]}, "rules[0].groups"),
        ({"rules": [{"path": "/*", "groups": {"any": []}}]}, "rules[0].groups.any"),
        ({"rules": [{"path": "/*", "groups": {"none": ["a"]}}]}, "rules[0].groups"),
        ({"rules": [{"path": "/*", "groups": {"any": [""]}}]}, "rules[0].groups.any"),
        ({"rules": [{"path": "/*", "claims": {}}]}, "rules[0].claims"),
        ({"rules": [{"path": "/*", "claims": {"a": 1}}]}, "rules[0].claims.a"),
        (
            {"rules": [{"path": "/*", "scopes": {"any": ["a"]}}], "token_use": "id"},
            "rules[0].scopes",
        ),
        ({"other_issuers": [issuer.ISSUER.replace("https", "http")]}, "other_issuers"),
        ({"other_issuers": [issuer.ISSUER + "2"]}, "other_issuers"),
        ({"other_issuers": issuer.ISSUER}, "other_issuers"),
        ({"other_clients": ["a b"]}, "other_clients"),
        ({"other_clients": "client"}, "other_clients"),
        ({"identity_providers": ["Google", 7]}, "identity_providers"),
        # A parameter of the path that no requirement names, or the other way round.
        ({"rules": [{"path": "/c/{course}/*", "signed_in": True}]}, "rules[0].path"),
        ({"rules": [{"path": "/c/{course}/*", "public": True}]}, "rules[0].path"),
        ({"rules": [{"path": "/c/*", "groups": {"any": ["{course}"]}}]}, "rules[0].path"),
        ({"rules": [{"path": "/c/{course}/*", "claims": {"c": "{coarse}"}}]}, "rules[0].path"),
        ({"rules": [{"path": "/{c}/{c}/*", "claims": {"c": "{c}"}}]}, "rules[0].path"),
        ({"rules": [{"path": "/a{c}/*", "claims": {"c": "{c}"}}]}, "rules[0].path"),
        ({"rules": [{"path": "/{C}/*", "claims": {"c": "{C}"}}]}, "rules[0].path"),
        (
            {"rules": [{"path": "/c/*", "signed_in": True}, COURSE]},
            "rules[1].path",
        ),
        # The page of an application must be decided by its own rule.
        ({"rules": [APP | {"app_page": "/other.html"}]}, "rules[0].app_page"),
        ({"rules": [PAID, APP | {"app_page": "/premium/a.html"}]}, "rules[1].app_page"),
        ({"rules": [APP | {"app_page": 7}]}, "rules[0].app_page"),
        ({"rules": [COURSE | {"app_page": "/c/a/b.html"}]}, "rules[0].app_page"),
    ],
)
def test_invalid_setting_is_named_in_error(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(issuer.settings(**changes))
    assert raised.value.key == key
    assert key in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")},
        {"other_issuers": [issuer.ISSUER.replace("cognito-idp", "issuer-cognito-idp")]},
        {"jwks_uri": "http://127.0.0.1:4566/us-east-1_x/.well-known/jwks.json"},
        {"hosted_ui": "http://127.0.0.1:4566"},
        {"origins": ["http://localhost:8080", "https://school.example", "", "http://[::1]:1"]},
        {"rules": [{"path": "/premium", "public": True}, PAID]},
        {"rules": [PAID, {"path": "/premium*", "signed_in": True}]},
        {"rules": [PAID, {"path": "/*", "signed_in": True}], "upgrade_path": None},
        {"rules": [{"path": "/*.html", "signed_in": True}, {"path": "/a*", "public": True}]},
        {"rules": [PAID, APP | {"app_page": "/app/index.html"}]},
        {"rules": [COURSE, {"path": "/c/*", "signed_in": True}]},
        {"other_clients": ["7mobileclient", "8machine"], "identity_providers": ["Google", "ad-fs"]},
        {"leeway": 0},
        {"jwks_time": 0},
        {"audience": "https://school.example/pages"},
        {"audience": "http://localhost:8080"},
        {"leeway": 300},
        {"session_seconds": 3_600},
        {"upgrade_path": None},
        {"jwks": {"keys": [issuer.jwk("small", 2_047), "odd", issuer.jwk()]}},
    ],
)
def test_valid_setting_is_accepted(changes: dict[str, Any]) -> None:
    parse(issuer.settings(**changes))


@pytest.mark.parametrize("document", [None, [], "x", 7])
def test_document_other_than_object_is_rejected(document: object) -> None:
    with pytest.raises(SettingsError, match="JSON object"):
        parse(document)
