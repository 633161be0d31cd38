"""The web ACL lets a school behind one address work, and blocks no request of our own pages."""

import re
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

WEB = ROOT / "web"
#: The operators' page. It has more files than others, and stays open.
COCKPIT = WEB / "members" / "app" / "operator.html"
#: Operators at the address of a school.
OPERATORS = 5
#: Students behind one address, and how often each loads a page.
STUDENTS = 200
SECONDS_PER_PAGE = 10
#: Bounds of the managed core rule set (AWS WAF, "Core rule set (CRS) managed rule group").
MAX_CRS_QUERY_BYTES = 2_048
MAX_CRS_COOKIE_BYTES = 10_240


def rules() -> dict[str, dict[str, Any]]:
    acl = resources(ROOT / "stacks" / "edge-firewall.yaml")["WebAcl"]["Properties"]
    return {rule["Name"]: rule for rule in acl["Rules"]}


def requests_of(page: Path) -> int:
    """Return the requests of one load of a page: the page, its files, their imports and calls."""
    text = page.read_text()
    files = set(re.findall(r'<(?:link|script|img)[^>]*?(?:href|src)="(/[^"]+)"', text))
    pending = [it for it in files if it.endswith(".js")]
    calls: set[str] = set()
    while pending:
        script = (WEB / "public" / pending.pop().lstrip("/")).read_text()
        requests = {f"/js/{it}" for it in re.findall(r'from "\./([\w-]+\.js)"', script)}
        pending += sorted(requests - files)
        files |= requests
        # The session is refreshed once an hour; a call of the API is counted once.
        calls |= set(re.findall(r'fetch\([`"](/\w[\w./]*)', script)) - {"/auth/refresh"}
        # A page view is sent with a request, and the page's times with a beacon.
        calls |= set(re.findall(r"\$\{options\.host\}(/\w[\w./]*)", script))
    return 1 + len(files) + len(calls)


def segment_seconds() -> int:
    """Return the duration of the video's segments (RFC 8216, EXT-X-TARGETDURATION)."""
    (playlist,) = (WEB / "members" / "media").rglob("stream.m3u8")
    (text,) = re.findall(r"^#EXT-X-TARGETDURATION:(\d+)$", playlist.read_text(), re.MULTILINE)
    return int(text)


def cockpit_seconds() -> int:
    """Return the time between two updates of the operators' page."""
    script = (WEB / "public" / "js" / "operator.js").read_text()
    (interval,) = re.findall(r"^const INTERVAL_MS = ([\d_]+);$", script, re.MULTILINE)
    return int(interval) // 1000


def test_rate_limit_allows_200_students_behind_one_address() -> None:
    statement = rules()["too-many-from-one-address"]["Statement"]["RateBasedStatement"]
    loads = STUDENTS * statement["EvaluationWindowSec"] // SECONDS_PER_PAGE
    pages = [it for it in WEB.rglob("*.html") if it != COCKPIT]
    assert len(pages) > 3
    most = max(map(requests_of, pages))
    assert most >= 5
    segments = STUDENTS * statement["EvaluationWindowSec"] // segment_seconds()
    # An update asks again for what the page shows.
    updates = OPERATORS * statement["EvaluationWindowSec"] // cockpit_seconds()
    needed = loads * most + segments + updates * requests_of(COCKPIT)
    assert needed <= statement["Limit"] <= 2 * needed


def test_size_rules_of_the_managed_group_only_count() -> None:
    """The sign-in callback and session cookies exceed the group's bounds."""
    group = rules()["common"]["Statement"]["ManagedRuleGroupStatement"]
    counted = {
        it["Name"] for it in group["RuleActionOverrides"] if it["ActionToUse"] == {"Count": {}}
    }
    assert counted == {"SizeRestrictions_QUERYSTRING", "SizeRestrictions_Cookie_HEADER"}


def test_longest_session_is_near_the_bound_of_the_managed_group() -> None:
    """With the cookies of a few other programs, a session exceeds the bound."""
    source = (ROOT / "src" / "edge_auth" / "session.py").read_text()
    (limit,) = re.findall(r"^MAX_SESSION_BYTES: Final = ([\d_]+)", source, re.MULTILINE)
    assert int(limit) + MAX_CRS_QUERY_BYTES > MAX_CRS_COOKIE_BYTES
