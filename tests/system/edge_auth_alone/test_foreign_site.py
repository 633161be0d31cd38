"""`edge_auth` alone, in front of another team's site with its own bucket and user pool."""

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect
from pytest_socket import enable_socket

from aws_emulator import launcher
from aws_emulator.processes import free_port
from aws_emulator.sam_cli import SamProject
from tests.support.chromium import launched
from tests.support.http_server import serving
from tests.support.managed_login import sign_in_with_password
from tests.support.paths import ROOT
from tests.system.edge_auth_alone.school_login import EMAIL, SAML_EMAIL, SchoolLogin
from tools.demo_students import create_user

pytestmark = [pytest.mark.browser]

SITE: Final = Path(__file__).with_name("site")
RULES: Final = [
    {"path": "/kitchen/secret/*", "groups": {"any": ["cooks"]}},
    {"path": "/kitchen/orders/*", "scopes": {"any": ["recipes/read"]}},
    {"path": "/kitchen/app/*", "signed_in": True, "app_page": "/kitchen/app/index.html"},
    {"path": "/kitchen/*", "signed_in": True},
]
KEYS: Final = (
    "public/index.html",
    "protected/kitchen/a.html",
    "protected/kitchen/secret/a.html",
    "protected/kitchen/orders/a.html",
    "protected/kitchen/app/index.html",
)
OIDC: Final = "school-oidc"
SAML: Final = "school-saml"
PAGE: Final = "<!doctype html><title>{0}</title><h1>{0}</h1>"
#: With a character of each kind that a new user pool requires.
PASSWORD: Final = f"{secrets.token_urlsafe(16)}aA1!"


@dataclass(frozen=True)
class Clients:
    """The user pool's app clients: of the site, a mobile app, a machine, and of something else."""

    site: str
    mobile: str
    machine: str
    machine_secret: str
    stranger: str


@dataclass(frozen=True)
class Site:
    """The served site, and its users: one is in the group, one isn't."""

    url: str
    endpoint: str
    clients: Clients
    cognito: Any
    pool: str
    #: Returns an access token of the cook from an app client.
    token: Callable[[str], str]
    cook: str = "cook@example.com"
    guest: str = "guest@example.com"


def create_pool(cognito: Any, site: str) -> tuple[str, Clients]:
    """Create the user pool that the other team has already."""
    created = cognito.create_user_pool(
        PoolName="recipes",
        UsernameAttributes=["email"],
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
    )
    pool = created["UserPool"]["Id"]
    cognito.create_user_pool_domain(UserPoolId=pool, Domain="recipes-login")
    client = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="site",
        GenerateSecret=False,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid"],
        SupportedIdentityProviders=["COGNITO"],
        CallbackURLs=[f"{site}/auth/callback"],
        LogoutURLs=[f"{site}/"],
    )["UserPoolClient"]["ClientId"]
    cognito.create_group(UserPoolId=pool, GroupName="cooks")
    for email in (Site.cook, Site.guest):
        create_user(cognito, pool, email, PASSWORD)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=Site.cook, GroupName="cooks")
    cognito.create_resource_server(
        UserPoolId=pool,
        Identifier="recipes",
        Name="recipes",
        Scopes=[{"ScopeName": "read", "ScopeDescription": "Read orders"}],
    )
    apps = [
        cognito.create_user_pool_client(
            UserPoolId=pool, ClientName=name, ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )["UserPoolClient"]["ClientId"]
        for name in ("mobile", "stranger")
    ]
    machine = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="machine",
        GenerateSecret=True,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["recipes/read"],
    )["UserPoolClient"]
    return pool, Clients(client, apps[0], machine["ClientId"], machine["ClientSecret"], apps[1])


def add_identity_providers(emulator: Any, pool: str, client: str, issuer: str) -> None:
    """Add providers with the template of the whole project, and allow them in the app client."""
    details = {"oidc_client_id": "recipes", "oidc_client_secret": "s3cret", "oidc_issuer": issuer}
    details["saml_metadata_url"] = f"{issuer}/saml"
    secret = {"Name": "meridian-recipes-identity-providers", "SecretString": json.dumps(details)}
    emulator.client("secretsmanager").create_secret(**secret)
    cloudformation = emulator.client("cloudformation")
    values = {"Stage": "recipes", "UserPoolId": pool, "Provider1": OIDC, "Provider2": SAML}
    cloudformation.create_stack(
        StackName="recipes-providers",
        Capabilities=["CAPABILITY_AUTO_EXPAND"],
        TemplateBody=(ROOT / "stacks" / "identity-providers.yaml").read_text(),
        Parameters=[{"ParameterKey": it, "ParameterValue": text} for it, text in values.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="recipes-providers", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    cognito = emulator.client("cognito-idp")
    known = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    members = ("AllowedOAuthFlowsUserPoolClient", "AllowedOAuthFlows", "AllowedOAuthScopes")
    cognito.update_user_pool_client(
        UserPoolId=pool,
        ClientId=client,
        **{it: known[it] for it in (*members, "CallbackURLs", "LogoutURLs")},
        SupportedIdentityProviders=["COGNITO", OIDC, SAML],
    )


def token_of(cognito: Any, pool: str) -> Callable[[str], str]:
    def sign_in(client: str) -> str:
        result = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": Site.cook, "PASSWORD": PASSWORD},
        )
        return str(result["AuthenticationResult"]["AccessToken"])

    return sign_in


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    enable_socket()
    directory = tmp_path_factory.mktemp("edge-auth-alone")
    access = SamProject(ROOT / "stacks" / "edge-auth", build_dir=directory / "edge-auth")
    pages = SamProject(SITE, build_dir=directory / "site")
    port = free_port()
    url = f"http://localhost:{port}"
    with ExitStack() as servers, launcher.start(directory / "state") as emulator:
        emulator.build(access)
        emulator.build(pages)
        cognito = emulator.client("cognito-idp")
        pool, clients = create_pool(cognito, url)
        issuer = servers.enter_context(serving(SchoolLogin))
        SchoolLogin.cognito = emulator.endpoint
        add_identity_providers(emulator, pool, clients.site, issuer)
        more = {
            "other_clients": [clients.mobile, clients.machine],
            "identity_providers": [OIDC, SAML],
        }
        parameters = {
            "UserPoolId": pool,
            "UserPoolClientId": clients.site,
            "MoreSettings": json.dumps(more, separators=(",", ":")),
            "HostedUi": emulator.endpoint,
            "JwksUri": f"{emulator.endpoint}/{pool}/.well-known/jwks.json",
            "Rules": json.dumps(RULES, separators=(",", ":")),
            "PagePaths": "/kitchen/*,/auth/*",
            "Origins": url,
            "SiteName": "Recipes",
        }
        version = emulator.deploy(access, "edge-auth", parameters)["FunctionVersionArn"]
        outputs = emulator.deploy(pages, "recipes", {"FunctionVersionArn": version})
        s3 = emulator.client("s3")
        for key in KEYS:
            body = PAGE.format(key.rpartition("/")[0].replace("/", " "))
            s3.put_object(
                Bucket=outputs["Bucket"], Key=key, Body=body.encode(), ContentType="text/html"
            )
        assert emulator.start_cloudfront(port) == url
        yield Site(url, emulator.endpoint, clients, cognito, pool, token_of(cognito, pool))


@pytest.fixture(scope="module")
def page(site: Site) -> Iterator[Page]:
    with launched() as browser:
        yield browser.new_context(base_url=site.url).new_page()


def sign_in(page: Page, email: str, path: str) -> None:
    page.goto(path)
    expect(page).not_to_have_url(f"{path}")
    if page.locator("input[name=password]").count():
        page.fill("input[name=username]", email)
        page.fill("input[name=password]", PASSWORD)
        page.click("[type=submit]")
    else:
        sign_in_with_password(page, email, PASSWORD)


def sign_out(page: Page) -> None:
    page.goto("/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("public")


def test_member_signs_in_reads_protected_page_and_signs_out(page: Page) -> None:
    page.goto("/")
    expect(page.locator("h1")).to_have_text("public")
    sign_in(page, Site.cook, "/kitchen/secret/a.html")
    expect(page.locator("h1")).to_have_text("protected kitchen secret")
    sign_out(page)
    answer = page.request.get("/kitchen/secret/a.html", headers={"Accept": "*/*"}, max_redirects=0)
    assert answer.status in {303, 401}
    assert "protected" not in answer.text()


def test_user_outside_the_group_reads_other_pages_only(page: Page) -> None:
    sign_in(page, Site.guest, "/kitchen/a.html")
    expect(page.locator("h1")).to_have_text("protected kitchen")
    refused = page.goto("/kitchen/secret/a.html")
    assert refused is not None
    assert refused.status == 403
    expect(page).to_have_title(re.compile(" - Recipes$"))
    sign_out(page)


def test_encoded_path_reaches_no_protected_page(page: Page) -> None:
    answer = page.request.get("/kitchen%2Fa.html")
    assert answer.status in {403, 404}
    assert "protected" not in answer.text()


def test_application_gets_its_page_for_the_paths_of_its_router(page: Page) -> None:
    sign_in(page, Site.guest, "/kitchen/app/recipes/7?view=large")
    expect(page).to_have_url(re.compile(r"/kitchen/app/recipes/7\?view=large$"))
    expect(page.locator("h1")).to_have_text("protected kitchen app")
    missing = page.goto("/kitchen/app/missing.js")
    assert missing is not None
    assert missing.status in {403, 404}
    sign_out(page)


def test_tokens_of_a_mobile_app_open_pages_and_those_of_another_client_do_not(
    site: Site, page: Page
) -> None:
    def status(client: str) -> int:
        headers = {"Authorization": f"Bearer {site.token(client)}", "Accept": "*/*"}
        return page.request.get("/kitchen/secret/a.html", headers=headers).status

    assert status(site.clients.mobile) == 200
    assert status(site.clients.stranger) == 401


def test_machine_opens_only_the_paths_of_its_scope(site: Site, page: Page) -> None:
    credentials = f"{site.clients.machine}:{site.clients.machine_secret}".encode()
    answer = page.request.post(
        f"{site.endpoint}/oauth2/token",
        headers={"Authorization": f"Basic {base64.b64encode(credentials).decode()}"},
        form={"grant_type": "client_credentials", "scope": "recipes/read"},
    )
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}", "Accept": "*/*"}
    statuses = {
        path: page.request.get(path, headers=headers).status
        for path in ("/kitchen/orders/a.html", "/kitchen/a.html", "/kitchen/secret/a.html")
    }
    assert statuses == {
        "/kitchen/orders/a.html": 200,
        "/kitchen/a.html": 403,
        "/kitchen/secret/a.html": 403,
    }


@pytest.mark.parametrize(("provider", "email"), [(OIDC, EMAIL), (SAML, SAML_EMAIL)])
def test_first_sign_in_with_an_identity_provider_creates_the_user_of_a_closed_pool(
    site: Site, page: Page, provider: str, email: str
) -> None:
    page.goto(f"/auth/sign-in?identity_provider={provider}&return_to=/kitchen/a.html")
    expect(page.locator("h1")).to_have_text("protected kitchen")
    users = site.cognito.list_users(UserPoolId=site.pool, Filter=f'email = "{email}"')["Users"]
    assert [it["UserStatus"] for it in users] == ["EXTERNAL_PROVIDER"]
    sign_out(page)


def test_sign_in_that_a_provider_started_is_repeated_by_this_browser(
    site: Site, page: Page
) -> None:
    """On AWS, Cognito's session answers; the emulator has none and shows its sign-in page."""
    page.goto("/auth/callback?code=of-another-person")
    expect(page).to_have_url(re.compile(f"^{re.escape(site.endpoint)}/oauth2/authorize"))
    names = {it["name"] for it in page.context.cookies(site.url)}
    assert "__Host-meridian-token" not in names
