"""Settings of user pools that Amazon Cognito refuses."""

from typing import Any

import pytest

from aws_emulator.tests.ministack import contracts_user_pool_replicas
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.refusals.refusing import refused

INVALID = "InvalidParameterException"
HTTPS = "https://app.example/auth/callback"


@pytest.fixture(scope="module")
def pool(emulator: Emulator) -> str:
    """Create a user pool; return its ID."""
    created = emulator.client("cognito-idp").create_user_pool(PoolName=unique("pool"))
    return str(created["UserPool"]["Id"])


def create_client(emulator: Emulator, pool: str, **settings: Any) -> None:
    emulator.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool, ClientName=unique("client"), **settings
    )


@pytest.mark.parametrize("word", ["aws", "amazon", "cognito"])
def test_cognito_refuses_reserved_word_in_domain(emulator: Emulator, pool: str, word: str) -> None:
    create = emulator.client("cognito-idp").create_user_pool_domain
    message = refused(INVALID, create, UserPoolId=pool, Domain=unique(f"my-{word}-app"))
    assert word in message


def test_cognito_refuses_domain_of_another_pool(emulator: Emulator, pool: str) -> None:
    client, domain = emulator.client("cognito-idp"), unique("shop")
    client.create_user_pool_domain(UserPoolId=pool, Domain=domain)
    other = client.create_user_pool(PoolName=unique("pool"))["UserPool"]["Id"]
    refused(INVALID, client.create_user_pool_domain, UserPoolId=other, Domain=domain)


@pytest.mark.parametrize("domain", ["-shop", "shop-", "a.shop"])
def test_cognito_refuses_characters_of_domain(emulator: Emulator, domain: str) -> None:
    client = emulator.client("cognito-idp")
    pool = client.create_user_pool(PoolName=unique("pool"))["UserPool"]["Id"]
    refused(INVALID, client.create_user_pool_domain, UserPoolId=pool, Domain=domain)


def test_cognito_refuses_deletion_of_pool_with_domain(emulator: Emulator) -> None:
    client, domain = emulator.client("cognito-idp"), unique("shop")
    pool = client.create_user_pool(PoolName=unique("pool"))["UserPool"]["Id"]
    client.create_user_pool_domain(UserPoolId=pool, Domain=domain)
    message = refused(INVALID, client.delete_user_pool, UserPoolId=pool)
    assert "deleted first" in message
    client.delete_user_pool_domain(UserPoolId=pool, Domain=domain)
    client.delete_user_pool(UserPoolId=pool)


def test_cognito_refuses_address_of_which_only_the_domain_is_verified(emulator: Emulator) -> None:
    client, ses = emulator.client("cognito-idp"), emulator.client("sesv2")
    domain = f"{unique('shop')}.example"
    ses.create_email_identity(EmailIdentity=domain)

    def create(identity: str) -> None:
        arn = f"arn:aws:ses:us-east-1:000000000000:identity/{identity}"
        email = {"EmailSendingAccount": "DEVELOPER", "SourceArn": arn, "From": f"app@{domain}"}
        client.create_user_pool(PoolName=unique("pool"), EmailConfiguration=email)

    refused("InvalidEmailRoleAccessPolicyException", create, identity=f"app@{domain}")
    create(domain)


def custom_domain(name: str, region: str = "us-east-1") -> dict[str, Any]:
    certificate = f"arn:aws:acm:{region}:000000000000:certificate/{unique('c')}"
    return {"Domain": name, "CustomDomainConfig": {"CertificateArn": certificate}}


def test_cognito_refuses_custom_domain(emulator: Emulator) -> None:
    """Its parent has no A record, its certificate is elsewhere, or it is a pool's second one."""
    client, route53 = emulator.client("cognito-idp"), emulator.client("route53")
    create, parent = client.create_user_pool_domain, f"{unique('shop')}.example"
    pool = client.create_user_pool(PoolName=unique("pool"))["UserPool"]["Id"]
    name = f"auth.{parent}"
    message = refused(INVALID, create, UserPoolId=pool, **custom_domain(name))
    assert "DNS A record for the parent domain" in message
    refused(INVALID, create, UserPoolId=pool, **custom_domain("auth.example"))
    zone = route53.create_hosted_zone(Name=parent, CallerReference=parent)["HostedZone"]["Id"]
    record = {"Name": parent, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    change = {"Action": "CREATE", "ResourceRecordSet": record}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    refused(INVALID, create, UserPoolId=pool, **custom_domain(name, "eu-west-2"))
    refused(INVALID, create, UserPoolId=pool, **custom_domain(f"auth-.{parent}"))
    refused(INVALID, create, UserPoolId=pool, **custom_domain(f"{'a' * 60}.{parent}"))
    create(UserPoolId=pool, **custom_domain(name))
    create(UserPoolId=pool, Domain=unique("shop"))  # a prefix domain beside it
    refused(INVALID, create, UserPoolId=pool, **custom_domain(f"login.{parent}"))


@pytest.mark.parametrize(
    ("member", "least", "most"),
    [("AccessToken", 5, 1_440), ("IdToken", 5, 1_440), ("RefreshToken", 60, 5_256_000)],
)
def test_cognito_refuses_validity_of_tokens(
    emulator: Emulator, pool: str, member: str, least: int, most: int
) -> None:
    for minutes, valid in ((least, True), (least - 1, False), (most, True), (most + 1, False)):
        settings = {f"{member}Validity": minutes, "TokenValidityUnits": {member: "minutes"}}
        if valid:
            create_client(emulator, pool, **settings)
        else:
            refused(INVALID, create_client, emulator=emulator, pool=pool, **settings)


@pytest.mark.parametrize("url", ["http://app.example/", f"{HTTPS}#part", "/auth/callback"])
@pytest.mark.parametrize("member", ["CallbackURLs", "LogoutURLs"])
def test_cognito_refuses_redirect_url(emulator: Emulator, pool: str, member: str, url: str) -> None:
    create_client(emulator, pool, **{member: [HTTPS, "http://localhost:8080/", "app://done"]})
    refused(INVALID, create_client, emulator=emulator, pool=pool, **{member: [HTTPS, url]})


def test_cognito_refuses_refresh_flow_with_rotation(emulator: Emulator, pool: str) -> None:
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 60}
    create_client(
        emulator, pool, RefreshTokenRotation=rotation, ExplicitAuthFlows=["ALLOW_USER_AUTH"]
    )
    refused(
        INVALID,
        create_client,
        emulator=emulator,
        pool=pool,
        RefreshTokenRotation=rotation,
        ExplicitAuthFlows=["ALLOW_USER_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    )


def test_cognito_refuses_grace_period_over_60_s(emulator: Emulator, pool: str) -> None:
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 61}
    refused(
        INVALID,
        create_client,
        emulator=emulator,
        pool=pool,
        RefreshTokenRotation=rotation,
        ExplicitAuthFlows=["ALLOW_USER_AUTH"],
    )


@pytest.mark.parametrize(("length", "valid"), [(6, True), (99, True), (100, False)])
def test_cognito_refuses_minimum_length_of_password(
    emulator: Emulator, length: int, valid: bool
) -> None:
    create = emulator.client("cognito-idp").create_user_pool
    policies = {"PasswordPolicy": {"MinimumLength": length}}
    if valid:
        create(PoolName=unique("pool"), Policies=policies)
    else:
        refused(INVALID, create, PoolName=unique("pool"), Policies=policies)


def test_cognito_refuses_group_that_exists(emulator: Emulator, pool: str) -> None:
    create = emulator.client("cognito-idp").create_group
    create(UserPoolId=pool, GroupName="paying")
    refused("GroupExistsException", create, UserPoolId=pool, GroupName="paying")


def test_cognito_refuses_user_that_exists(emulator: Emulator, pool: str) -> None:
    create = emulator.client("cognito-idp").admin_create_user
    create(UserPoolId=pool, Username="student")
    refused("UsernameExistsException", create, UserPoolId=pool, Username="student")


def create_provider(emulator: Emulator, pool: str, name: str, kind: str, **details: str) -> None:
    emulator.client("cognito-idp").create_identity_provider(
        UserPoolId=pool, ProviderName=name, ProviderType=kind, ProviderDetails=details
    )


def test_cognito_refuses_client_with_unknown_provider(emulator: Emulator, pool: str) -> None:
    create = emulator.client("cognito-idp").create_user_pool_client
    providers = {"SupportedIdentityProviders": ["COGNITO", "nowhere"]}
    message = refused(INVALID, create, UserPoolId=pool, ClientName=unique("client"), **providers)
    assert "nowhere does not exist" in message


def test_cognito_refuses_other_providers_beside_unsolicited_assertions(
    emulator: Emulator, pool: str
) -> None:
    client, names = emulator.client("cognito-idp"), [unique("saml") for _ in range(3)]
    for name, started in zip(names[:2], ("true", "false"), strict=True):
        create_provider(
            emulator, pool, name, "SAML", MetadataURL="https://a.example", IDPInit=started
        )
    details = {"client_id": "app", "oidc_issuer": "https://a.example"}
    create_provider(
        emulator,
        pool,
        names[2],
        "OIDC",
        authorize_scopes="openid",
        attributes_request_method="GET",
        **details,
    )
    create_client(emulator, pool, SupportedIdentityProviders=names[:2])
    create_client(emulator, pool, SupportedIdentityProviders=["COGNITO", *names[1:]])
    for other in ("COGNITO", names[2]):
        request = {"UserPoolId": pool, "SupportedIdentityProviders": [names[0], other]}
        created = client.create_user_pool_client
        assert "IDPInit" in refused(INVALID, created, ClientName=unique("client"), **request)


def test_cognito_refuses_replica_without_its_conditions(emulator: Emulator) -> None:
    contracts_user_pool_replicas.refused_replicas(emulator)
