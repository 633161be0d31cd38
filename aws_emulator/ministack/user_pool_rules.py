"""The limits of user pools' domains, app clients and password policies. Pure.

Each function returns the error code and the message of a refused request, or None.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from aws_emulator.ministack.service_rules import Refused

_INVALID: Final = "InvalidParameterException"
# CreateUserPoolDomain, Domain.
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: Developer guide, "Using the Amazon Cognito prefix domain for managed login".
_RESERVED_WORDS: Final = ("aws", "amazon", "cognito")
_MAX_DOMAIN_CHARS: Final = 63
#: Developer guide, "Using your own domain for managed login", Prerequisites.
_CERTIFICATE_REGION: Final = "us-east-1"
#: CreateUserPoolClient: member -> (the least, the most, in seconds; the default unit).
_VALIDITY: Final = {
    "AccessTokenValidity": (300, 86_400, "hours"),
    "IdTokenValidity": (300, 86_400, "hours"),
    "RefreshTokenValidity": (3_600, 315_360_000, "days"),
}
_UNITS_S: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
#: RefreshTokenRotationType, RetryGracePeriodSeconds.
_MAX_GRACE_S: Final = 60
#: Developer guide, "Refresh token rotation": such a client has no refresh in InitiateAuth.
#: The user pool itself among the identity providers of an app client.
_OWN: Final = "COGNITO"
_REFRESH_FLOW: Final = "ALLOW_REFRESH_TOKEN_AUTH"
#: PasswordPolicyType, MinimumLength.
_PASSWORD_LENGTHS: Final = (6, 99)


def domain(request: Mapping[str, Any]) -> Refused:
    """Check a prefix domain; `custom_domain` checks the others."""
    name = str(request.get("Domain") or "")
    if request.get("CustomDomainConfig") or not name:
        return None
    if not _DOMAIN.fullmatch(name):
        return _INVALID, f"1 validation error detected: Value '{name}' at 'domain' is invalid"
    for word in _RESERVED_WORDS:
        if word in name:
            return _INVALID, f"Domain cannot contain reserved word: {word}"
    return None


def custom_domain(
    request: Mapping[str, Any], present: str | None, is_address: Callable[[str], bool]
) -> Refused:
    """Check a domain with a certificate.

    Args:
        request: A request of CreateUserPoolDomain.
        present: The custom domain that the pool has already.
        is_address: Whether a domain name has an A record.
    """
    config = request.get("CustomDomainConfig")
    if not config:
        return None
    name = str(request.get("Domain") or "")
    parent = name.partition(".")[2]
    if len(name) > _MAX_DOMAIN_CHARS or not all(map(_DOMAIN.fullmatch, name.split("."))):
        return _INVALID, f"1 validation error detected: Value '{name}' at 'domain' is invalid"
    if f":acm:{_CERTIFICATE_REGION}:" not in str(config.get("CertificateArn")):
        return _INVALID, f"The certificate of a custom domain must be in {_CERTIFICATE_REGION}."
    if present:
        return _INVALID, "User pool already has a custom domain configured."
    if "." not in parent or not is_address(parent):
        return _INVALID, (
            "Custom domain is not a valid subdomain: Was not able to resolve a DNS A record for "
            "the parent domain or domain parent is a top-level domain."
        )
    return None


def deletion(domain: str | None) -> Refused:
    """Check the deletion of a user pool with this domain, or without one."""
    if not domain:
        return None
    return _INVALID, (
        "User pool cannot be deleted. It has a domain configured that should be deleted first."
    )


def client(request: Mapping[str, Any]) -> Refused:
    """Check the settings of an app client."""
    problem = next(_client_problems(request), None)
    return (_INVALID, problem) if problem else None


def _client_problems(request: Mapping[str, Any]) -> Iterator[str]:
    units = request.get("TokenValidityUnits") or {}
    for member, (least, most, unit) in _VALIDITY.items():
        value = request.get(member)
        factor = _UNITS_S[units.get(member.removesuffix("Validity"), unit)]
        # RefreshTokenValidity: 0 is the default of 30 days.
        if value and not least <= int(value) * factor <= most:
            yield f"Invalid range for token validity: {member}."
    for member in ("CallbackURLs", "LogoutURLs"):
        for url in request.get(member) or []:
            if not _is_redirect(str(url)):
                yield f"{url} is not a valid redirect URL in {member}."
    rotation = request.get("RefreshTokenRotation") or {}
    grace = int(rotation.get("RetryGracePeriodSeconds") or 0)
    if not 0 <= grace <= _MAX_GRACE_S:
        yield "RetryGracePeriodSeconds must be from 0 to 60."
    rotates = rotation.get("Feature") == "ENABLED"
    if rotates and _REFRESH_FLOW in (request.get("ExplicitAuthFlows") or []):
        yield f"{_REFRESH_FLOW} isn't allowed with refresh token rotation."


def client_providers(
    request: Mapping[str, Any], providers: Mapping[str, Mapping[str, Any]]
) -> Refused:
    """Check the identity providers of an app client against those of its user pool, by name.

    Cognito can't tell whether somebody asked for an unsolicited assertion. So an app client with a
    SAML provider that may start sign-ins (IDPInit) can have no other provider, "including the user
    pool itself" (developer guide, "Using IdP-initiated SAML sign-in").
    """
    names = [str(name) for name in request.get("SupportedIdentityProviders") or []]
    for name in names:
        if name != _OWN and name not in providers:
            pool = request.get("UserPoolId")
            return _INVALID, f"The provider {name} does not exist for User Pool {pool}."
    types = {it: providers[it].get("ProviderType") if it != _OWN else _OWN for it in names}
    unsolicited = [it for it in names if it != _OWN and _starts_sign_ins(providers[it])]
    if unsolicited and set(types.values()) != {"SAML"}:
        return _INVALID, f"{unsolicited[0]} has IDPInit, so {names} must be SAML providers."
    return None


def _starts_sign_ins(provider: Mapping[str, Any]) -> bool:
    details = provider.get("ProviderDetails") or {}
    return str(details.get("IDPInit", "false")).lower() == "true"


def _is_redirect(url: str) -> bool:
    """Return whether a client may redirect to a URL.

    "Be an absolute URI ... Not include a fragment component ... requires HTTPS over HTTP except for
    http://localhost for testing purposes only" (CreateUserPoolClient, CallbackURLs).
    """
    parts = urlsplit(url)
    if not parts.scheme or "#" in url:
        return False
    return parts.scheme != "http" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def password_policy(request: Mapping[str, Any]) -> Refused:
    """Check the password policy of a user pool."""
    policy = (request.get("Policies") or {}).get("PasswordPolicy") or {}
    length = policy.get("MinimumLength")
    least, most = _PASSWORD_LENGTHS
    if length is not None and not least <= int(length) <= most:
        return _INVALID, f"MinimumLength must be from {least} to {most}."
    return None
