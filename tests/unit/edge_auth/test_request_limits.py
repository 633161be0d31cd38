"""The requests that edge_auth's own limits allow pass the web ACL and CloudFront."""

from typing import Final
from urllib.parse import urlsplit

import pytest

from edge_auth import cookies, session
from edge_auth.paths import MAX_RETURN_URL_CHARS, quote
from edge_auth.sign_in import MAX_CODE_CHARS, MAX_PENDING_SIGN_INS
from edge_auth.viewer_request import ViewerRequest
from tests.support.paths import ROOT
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.fake_browser import FakeBrowser, location
from tests.unit.edge_auth.fake_cognito import FakeCognito
from tests.unit.edge_auth.viewer_events import viewer_request
from tests.unit.stacks.test_templates import resources

SITE = f"https://{issuer.HOST}"
#: AWS WAF, "Core rule set (CRS) managed rule group": rule -> bytes.
MANAGED_BOUNDS: Final = {
    "SizeRestrictions_QUERYSTRING": 2_048,
    "SizeRestrictions_Cookie_HEADER": 10_240,
}
#: CloudFront, "Quotas": URL, and headers of a request.
MAX_URL_BYTES: Final = 8_192
MAX_HEADERS_BYTES: Final = 20_480
#: Headers of Chromium without cookies take less than this.
OTHER_HEADERS_BYTES: Final = 1_500


def allowed_bytes(name: str, quota: int) -> int:
    """Return the size that passes the template's web ACL, or CloudFront's quota without a rule."""
    acl = resources(ROOT / "stacks" / "edge-firewall.yaml")["WebAcl"]["Properties"]
    groups = [
        statement
        for rule in acl["Rules"]
        if (statement := rule["Statement"].get("ManagedRuleGroupStatement"))
        and statement["Name"] == "AWSManagedRulesCommonRuleSet"
    ]
    for group in groups:
        counted = [
            it["Name"]
            for it in group.get("RuleActionOverrides", [])
            if it["ActionToUse"] == {"Count": {}}
        ]
        if name not in counted:
            return min(quota, MANAGED_BOUNDS[name])
    return quota


def longest_return_url() -> str:
    """Return a page's URL of the longest form: each "&" takes three characters when quoted."""
    start = "/premium/search.html?"
    return start + "&" * (MAX_RETURN_URL_CHARS - len(start))


def test_callback_for_longest_return_url_passes_web_acl(
    browser: FakeBrowser, cognito: FakeCognito
) -> None:
    authorize_url = location(browser.send(f"{SITE}{longest_return_url()}"))
    callback = cognito.visit(authorize_url)
    code = next(iter(cognito.codes))
    longest = callback.replace(code, "c" * MAX_CODE_CHARS)
    query = urlsplit(longest).query
    assert len(query) <= allowed_bytes("SizeRestrictions_QUERYSTRING", MAX_URL_BYTES)
    # Cognito's managed login is a CloudFront distribution too.
    assert max(len(longest), len(authorize_url)) <= MAX_URL_BYTES
    assert location(browser.send(callback)) == f"{SITE}{longest_return_url()}"


@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/refresh", "/upgrade.html"])
def test_link_with_longest_return_url_passes_web_acl(path: str) -> None:
    query = f"return_to={quote(longest_return_url())}"
    assert len(query) <= allowed_bytes("SizeRestrictions_QUERYSTRING", MAX_URL_BYTES)
    assert len(f"{SITE}{path}?{query}") <= MAX_URL_BYTES


def test_cookies_of_largest_session_and_most_sign_ins_pass_web_acl(browser: FakeBrowser) -> None:
    for number in range(MAX_PENDING_SIGN_INS + 5):
        browser.send(f"{SITE}/premium/{number}.html")
    pending = [it for it in browser.cookies if it.startswith(cookies.SIGN_IN_COOKIE_PREFIX)]
    assert len(pending) == MAX_PENDING_SIGN_INS
    half = session.MAX_SESSION_BYTES // 2
    request = ViewerRequest(viewer_request(cookies=browser.cookies))
    set_cookies = [
        *session.session_cookies(request, "t" * half, "r" * half, 3_600),
        *session.refresh_attempt_cookie(request),
        *session.sign_in_count_cookie(request),
    ]
    pairs = [f"{name}={value}" for name, value in browser.cookies.items()]
    header = "; ".join(pairs + [it.partition(";")[0] for it in set_cookies])
    assert len(header) > session.MAX_SESSION_BYTES + 80 * MAX_PENDING_SIGN_INS
    limit = allowed_bytes("SizeRestrictions_Cookie_HEADER", MAX_HEADERS_BYTES - OTHER_HEADERS_BYTES)
    assert len(header) <= limit
