"""`edge_auth` alone, in front of another team's site with its own bucket and user pool."""

import json
import re
import secrets
from collections.abc import Iterator
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
from tests.support.managed_login import sign_in_with_password
from tests.support.paths import ROOT
from tools.demo_students import create_user

pytestmark = [pytest.mark.browser]

SITE: Final = Path(__file__).with_name("site")
RULES: Final = [
    {"path": "/kitchen/secret/*", "groups": {"any": ["cooks"]}},
    {"path": "/kitchen/*", "signed_in": True},
]
KEYS: Final = ("public/index.html", "protected/kitchen/a.html", "protected/kitchen/secret/a.html")
PAGE: Final = "<!doctype html><title>{0}</title><h1>{0}</h1>"
#: With a character of each kind that a new user pool requires.
PASSWORD: Final = f"{secrets.token_urlsafe(16)}aA1!"


@dataclass(frozen=True)
class Site:
    """The served site, and its users: one is in the group, one isn't."""

    url: str
    cook: str = "cook@example.com"
    guest: str = "guest@example.com"


def create_pool(cognito: Any, site: str) -> dict[str, str]:
    """Create the user pool that the other team has already. Return the parameters of its IDs."""
    created = cognito.create_user_pool(PoolName="recipes", UsernameAttributes=["email"])
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
    return {"UserPoolId": pool, "UserPoolClientId": client}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    enable_socket()
    directory = tmp_path_factory.mktemp("edge-auth-alone")
    access = SamProject(ROOT / "stacks" / "edge-auth", build_dir=directory / "edge-auth")
    pages = SamProject(SITE, build_dir=directory / "site")
    port = free_port()
    url = f"http://localhost:{port}"
    with launcher.start(directory / "state") as emulator:
        emulator.build(access)
        emulator.build(pages)
        ids = create_pool(emulator.client("cognito-idp"), url)
        parameters = ids | {
            "HostedUi": emulator.endpoint,
            "JwksUri": f"{emulator.endpoint}/{ids['UserPoolId']}/.well-known/jwks.json",
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
        yield Site(url)


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
