"""Check a user pool that the parameter ExistingUserPoolId names. Pure.

The system creates users in the pool, puts them in two groups and signs them in with emailed codes.
Its owner keeps all settings: the remedies are commands of the owner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.deployment.preflight.findings import Finding, error, ok, warning

#: stacks/foundation.yaml creates them in the pool of the system.
GROUPS: Final = ("paying", "staff")
#: ManagedLoginVersion of a domain: 1 is the classic hosted UI, without emailed codes.
_MANAGED_LOGIN: Final = 2
_CHECK: Final = "user pool"


@dataclass(frozen=True)
class UserPool:
    """A user pool: its description by Cognito, its groups, its pages and its identity providers."""

    #: UserPoolType of Cognito's API.
    description: dict[str, Any]
    groups: frozenset[str]
    #: Domain name -> ManagedLoginVersion.
    versions: dict[str, int]
    #: The names of its identity providers.
    providers: frozenset[str] = frozenset()


def check_user_pool(
    pool_id: str,
    pool: UserPool | None,
    host: str,
    stage: str,
    region: str,
    providers: Sequence[str] = (),
) -> list[Finding]:
    """Check the pool; `host` is the parameter ExistingSignInHost, `providers` IdentityProviders.

    Returns a finding for each problem, or one without a problem.
    """
    if pool is None:
        return [
            error(
                _CHECK,
                f"{pool_id} doesn't exist in {region}",
                "Set ExistingUserPoolId to a pool of the home Region, or leave it out.",
            )
        ]
    problems = [
        *_errors(pool_id, pool, host, region, providers),
        *_warnings(pool_id, pool, stage),
    ]
    return problems or [ok(_CHECK, f"{pool_id} can be used")]


def check_change(wanted: str, deployed: str, *, is_deployed: bool) -> Finding:
    """Check that a deployed stage keeps its pool: its accounts name the users of that pool."""
    check = "change of the user pool"
    if not is_deployed or wanted == deployed:
        return ok(check, "none")
    return error(
        check,
        f"the stage's accounts belong to users of {deployed or 'its own user pool'}",
        "Leave ExistingUserPoolId unchanged, and deploy another stage with the other pool.",
    )


def _errors(
    pool_id: str, pool: UserPool, host: str, region: str, providers: Sequence[str]
) -> Iterator[Finding]:
    described = pool.description
    if described.get("UsernameAttributes") != ["email"]:
        yield error(
            _CHECK,
            f"users of {pool_id} don't sign in with their email address",
            "A pool can't change that: use one with UsernameAttributes=[email].",
        )
    policy = (described.get("Policies") or {}).get("SignInPolicy") or {}
    if "EMAIL_OTP" not in policy.get("AllowedFirstAuthFactors", ()):
        yield error(
            _CHECK,
            f"{pool_id} sends no codes by email, and the account workflow sets no passwords",
            "Its owner allows the first factors PASSWORD and EMAIL_OTP, which need the tier "
            "Essentials.",
        )
    if described.get("MfaConfiguration") == "ON":
        yield error(
            _CHECK,
            f"{pool_id} requires MFA, which excludes sign-in with a code",
            "Its owner makes MFA optional.",
        )
    for group in GROUPS:
        if group not in pool.groups:
            yield error(
                _CHECK,
                f"{pool_id} has no group {group}",
                f"aws cognito-idp create-group --user-pool-id {pool_id} --group-name {group} "
                f"--region {region}",
            )
    for name in providers:
        if name not in pool.providers:
            yield error(
                _CHECK,
                f"{pool_id} has no identity provider {name}",
                f"Its owner adds one with this name, or leave {name} out of IdentityProviders.",
            )
    if host not in pool.versions:
        names = ", ".join(sorted(pool.versions)) or "none"
        yield error(
            _CHECK,
            f"{host or 'an empty ExistingSignInHost'} isn't a domain of {pool_id}: {names}",
            "Set ExistingSignInHost to the name of its sign-in pages.",
        )
    elif pool.versions[host] != _MANAGED_LOGIN:
        yield error(
            _CHECK,
            f"{host} has the classic hosted UI, which sends no codes by email",
            "Its owner sets ManagedLoginVersion to 2.",
        )


def _warnings(pool_id: str, pool: UserPool, stage: str) -> Iterator[Finding]:
    described = pool.description
    if not (described.get("AdminCreateUserConfig") or {}).get("AllowAdminCreateUserOnly"):
        yield warning(
            _CHECK,
            f"anybody can sign up in {pool_id}: a stranger can take an address before its student",
            "Its owner sets AllowAdminCreateUserOnly, unless another application needs sign-up.",
        )
    trigger = (described.get("LambdaConfig") or {}).get("PreTokenGenerationConfig") or {}
    function = f"meridian-{stage}-entitlements"
    if not str(trigger.get("LambdaArn", "")).endswith(f":function:{function}"):
        yield warning(
            _CHECK,
            f"tokens of {pool_id} name no courses, because {function} isn't its trigger",
            "After the deployment, its owner sets PreTokenGenerationConfig to the function's ARN "
            "with LambdaVersion V2_0.",
        )
