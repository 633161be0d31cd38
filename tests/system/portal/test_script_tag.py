"""The script tag in Chromium: on pages of a test site, and on the running portal."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from clickstream.event import TYPES, read, validate_event
from tests.support.collector_page import Site, served
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser

SIGNALS: Final = (
    "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})",
    "Object.defineProperty(navigator, 'doNotTrack', {value: '1'})",
)


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as started:
        yield started


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(locale="en-GB")
    yield opened
    opened.close()


def wait_for_script(page: Page) -> None:
    # `wait_for_function` evaluates text later, which the portal's policy forbids.
    wait_until(lambda: page.evaluate("window.meridian?.track !== undefined"), "the script")


def open_page(context: BrowserContext, site: Site, path: str = "/lesson") -> Page:
    page = context.new_page()
    page.goto(site.url + path)
    wait_for_script(page)
    return page


def wait_for_views(site: Site, *paths: str) -> None:
    wait_until(lambda: site.paths() == list(paths), f"page views of {paths}")


def test_first_view_has_facts_of_page_and_no_cookie(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site, "/lesson?email=a@b.example&utm_source=news&utm_campaign=may#x")
    wait_for_views(site, "/lesson")
    (request,) = site.requests
    assert (request["path"], request["cookie"]) == ("/v1/batch", None)
    assert request["type"].startswith("text/plain")
    assert request["body"]["writeKey"] == "a-key"
    (event,) = request["body"]["batch"]
    facts = {"path": "/lesson", "url": f"{site.url}/lesson", "referrer": "", "title": "Lesson"}
    assert event["properties"] == event["context"]["page"] == facts
    assert event["context"]["campaign"] == {"source": "news", "name": "may"}
    assert event["context"]["locale"] == "en-GB"
    assert event["context"]["library"]["name"] == "meridian.js"
    assert "email" not in json.dumps(event)
    assert re.fullmatch("[0-9a-f]{32}", event["anonymousId"])
    assert context.cookies() == []
    # The id lasts until the tab is closed.
    page.evaluate("location.href = '/next'")
    wait_for_views(site, "/lesson", "/next")
    first, second = site.events("page")
    assert first["anonymousId"] == second["anonymousId"]
    assert second["properties"]["referrer"] == f"{site.url}/lesson"
    other = context.new_page()
    other.goto(f"{site.url}/third")
    wait_until(lambda: len(site.events("page")) == 3, "the view of another tab")
    assert site.events("page")[2]["anonymousId"] != first["anonymousId"]


def test_each_call_sends_valid_event_of_segment_spec(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site)
    page.evaluate(
        """() => {
          meridian.track('Opened a lesson', {lesson: 7});
          meridian.identify('u-1', {plan: 'paid'});
          meridian.group('g-1', {name: 'A class'});
          meridian.page('A name', {chapter: 2});
          meridian.push(['track', 'Closed a lesson']);
        }"""
    )
    wait_until(lambda: len(site.events()) == 6, "six events")
    events = site.events()
    assert (
        {event["type"] for event in events} == {"track", "identify", "group", "page"} < set(TYPES)
    )
    for event in events:
        validate_event(read(json.dumps(event).encode(), 65_536), None)
    tracked = {event["event"]: event for event in events if event["type"] == "track"}
    assert tracked["Opened a lesson"]["properties"] == {"lesson": 7}
    # Events before `identify` stay anonymous.
    assert "userId" not in tracked["Opened a lesson"]
    assert tracked["Closed a lesson"]["userId"] == "u-1"
    assert site.events("group")[0]["groupId"] == "g-1"
    assert site.events("page")[1]["name"] == "A name"
    assert len({event["messageId"] for event in events}) == 6


def test_views_of_single_page_application_are_sent(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site, "/a")
    wait_for_views(site, "/a")
    page.evaluate("history.pushState({}, '', '/b'); document.title = 'B'")
    wait_for_views(site, "/a", "/b")
    # Neither the same path nor a redirect at once is a view of its own.
    page.evaluate("history.replaceState({}, '', '/b?page=2#top')")
    page.evaluate("history.pushState({}, '', '/old'); history.replaceState({}, '', '/c')")
    wait_for_views(site, "/a", "/b", "/c")
    page.go_back()
    wait_for_views(site, "/a", "/b", "/c", "/b")
    views = site.events("page")
    assert views[1]["properties"]["title"] == "B"
    assert [view["properties"]["referrer"] for view in views] == [
        "",
        *(f"{site.url}/{name}" for name in "abc"),
    ]


def test_calls_before_script_has_loaded_are_kept(context: BrowserContext, site: Site) -> None:
    site.before = "<script>window.meridian = [['track', 'Early']]</script>"
    open_page(context, site)
    wait_until(lambda: len(site.events()) == 2, "the early event and the view")
    assert [event["event"] for event in site.events("track")] == ["Early"]


@pytest.mark.parametrize(("status", "retry_after"), [(503, "2"), (429, "2"), (500, "")])
def test_failed_request_is_repeated_after_retry_after(
    context: BrowserContext, site: Site, status: int, retry_after: str
) -> None:
    site.answers = [(status, retry_after)] * 2
    page = open_page(context, site)
    started = page.evaluate("performance.now()")
    wait_for_views(site, "/lesson")
    sent = [request["body"]["batch"][0]["messageId"] for request in site.requests]
    assert len(sent) == 3
    assert len(set(sent)) == 1
    if retry_after:
        # Two waits of two seconds; the page's own clock measures them.
        assert page.evaluate("performance.now()") - started >= 3_500


def test_refused_request_is_not_repeated(context: BrowserContext, site: Site) -> None:
    site.answers = [(401, "")]
    page = open_page(context, site)
    wait_until(lambda: len(site.requests) == 1, "the first request")
    page.evaluate("meridian.track('Next')")
    wait_until(lambda: len(site.requests) == 2, "the second request")
    assert [event["event"] for event in site.requests[1]["body"]["batch"]] == ["Next"]


def test_requests_stay_below_limit_of_keepalive(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site)
    page.evaluate("for (let n = 0; n < 40; n++) meridian.track(`n-${n}`, {text: 'é'.repeat(4000)})")
    wait_until(lambda: len(site.events("track")) == 40, "40 events")
    assert max(request["bytes"] for request in site.requests) <= 64 * 1024
    assert len(site.requests) >= 5


def test_event_that_exceeds_limit_of_keepalive_is_sent(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site)
    page.evaluate("meridian.track('large', {text: 'x'.repeat(100_000)})")
    wait_until(lambda: bool(site.events("track")), "the large event")


@pytest.mark.parametrize("how", ["close", "leave"])
def test_waiting_events_and_vitals_are_sent_by_beacon_on_leave(
    context: BrowserContext, site: Site, how: str
) -> None:
    page = open_page(context, site)
    wait_for_views(site, "/lesson")
    page.get_by_role("button").click()
    expect(page.get_by_role("button")).to_have_text("Opened")
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    page.evaluate("meridian.track('Last')")
    if how == "close":
        page.close(run_before_unload=True)
    else:
        page.goto("about:blank")
    wait_until(lambda: len(site.events("track")) == 2, "the last events")
    assert {request["path"] for request in site.requests[1:]} == {"/beacon/v1/batch"}
    last, vitals = site.events("track")
    assert (last["event"], vitals["event"]) == ("Last", "Web Vitals")
    measured = vitals["properties"]
    assert {"ttfb", "fcp", "lcp", "cls"} <= measured.keys() <= {"ttfb", "fcp", "lcp", "cls", "inp"}
    assert all(isinstance(value, int | float) and value >= 0 for value in measured.values())
    assert measured["lcp"] >= measured["fcp"] >= measured["ttfb"]


def test_hidden_page_sends_beacon_and_keeps_events_of_failing_collector(
    context: BrowserContext, site: Site
) -> None:
    site.attributes += ' data-vitals="off"'
    site.answers = [(503, "2"), (503, "")]
    page = context.new_page()
    with page.expect_response("**/v1/batch") as response:
        page.goto(site.url)
    response.value.finished()
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    page.evaluate(
        """() => {
          Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
          document.dispatchEvent(new Event('visibilitychange', {bubbles: true}));
        }"""
    )
    wait_for_views(site, "/")
    assert [request["path"] for request in site.requests] == [
        "/v1/batch",
        "/beacon/v1/batch",
        "/v1/batch",
    ]


@pytest.mark.parametrize("signal", SIGNALS)
def test_opt_out_signal_sends_and_stores_nothing(
    context: BrowserContext, site: Site, signal: str
) -> None:
    context.add_init_script(signal)
    page = open_page(context, site)
    page.evaluate("meridian.track('x'); meridian.consent({analytics: true}); meridian.flush()")
    stored = page.evaluate("[sessionStorage.length, localStorage.length]")
    page.goto("about:blank")
    assert (site.requests, stored, context.cookies()) == ([], [0, 0], [])
    # The request of another visitor would come after this visitor's.
    assert context.browser is not None
    open_page(context.browser.new_context(), site, "/other")
    wait_for_views(site, "/other")


def test_nothing_is_sent_or_stored_before_consent(context: BrowserContext, site: Site) -> None:
    site.attributes += ' data-consent="required"'
    page = open_page(context, site)
    page.evaluate("meridian.track('Before'); meridian.flush()")
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]
    page.evaluate("meridian.consent({analytics: true, advertising: false})")
    wait_until(lambda: len(site.events()) == 2, "the events before the consent")
    assert len(site.requests) == 1
    for event in site.events():
        assert event["context"]["consent"] == {
            "categoryPreferences": {"analytics": True, "advertising": False}
        }
    # A withdrawal deletes the id and the waiting events.
    page.evaluate("meridian.track('After'); meridian.consent({analytics: false})")
    page.evaluate("meridian.track('Never')")
    assert page.evaluate("sessionStorage.length") == 0
    page.goto("about:blank")
    open_page(context, site, "/other").evaluate("meridian.consent({analytics: true})")
    wait_until(lambda: "/other" in site.paths(), "the next view")
    assert [event["event"] for event in site.events("track")] == ["Before"]


@pytest.mark.parametrize(
    "denial", [*SIGNALS, "window.meridian = [['consent', {analytics: false}]]"]
)
def test_denial_before_script_has_loaded_deletes_the_id_of_an_earlier_visit(
    context: BrowserContext, site: Site, denial: str
) -> None:
    site.attributes += ' data-storage="local"'
    page = open_page(context, site)
    wait_for_views(site, "/lesson")
    assert page.evaluate("localStorage.length") == 1
    context.add_init_script(denial)
    assert open_page(context, site, "/other").evaluate("localStorage.length") == 0


@pytest.mark.parametrize(
    ("storage", "stored"), [("none", [0, 0]), ("session", [1, 0]), ("local", [0, 1])]
)
def test_storage_of_id_is_set_by_attribute(
    context: BrowserContext, site: Site, storage: str, stored: list[int]
) -> None:
    site.attributes += f' data-storage="{storage}"'
    page = open_page(context, site)
    wait_for_views(site, "/lesson")
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == stored


def test_automatic_events_can_be_switched_off(context: BrowserContext, site: Site) -> None:
    site.attributes += ' data-pages="off" data-vitals="off"'
    page = open_page(context, site)
    page.evaluate("history.pushState({}, '', '/b'); meridian.track('Only')")
    page.goto("about:blank")
    wait_until(lambda: bool(site.events()), "the event")
    assert [event.get("event") for event in site.events()] == ["Only"]


def test_page_from_back_forward_cache_is_a_view(context: BrowserContext, site: Site) -> None:
    page = open_page(context, site, "/a")
    wait_for_views(site, "/a")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    wait_for_views(site, "/a", "/a")


# --- the portal ----------------------------------------------------------------------------------


def collector_requests(page: Page) -> list[tuple[str, dict[str, Any]]]:
    """Return a list that grows by path and body of each request to the collector."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def record(request: Any) -> None:
        if request.method == "POST" and "/v1/batch" in request.url:
            seen.append((request.url, json.loads(request.post_data)))

    page.on("request", record)
    return seen


def test_portal_counts_visits_after_consent_only(
    visit: Callable[..., Page], page_errors: list[str]
) -> None:
    page = visit()
    answers: list[int] = []
    page.on("response", lambda it: answers.append(it.status) if "v1/batch" in it.url else None)
    seen = collector_requests(page)
    page.goto("/")
    section = page.get_by_role("region", name="Visit statistics")
    expect(section).to_contain_text("May we count your visits?")
    wait_for_script(page)
    page.evaluate("meridian.flush()")
    assert seen == []
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]
    allow = section.get_by_role("button", name="Allow", exact=True)
    allow.click()
    expect(allow).to_have_attribute("aria-pressed", "true")
    with page.expect_response(lambda it: it.url.endswith("/v1/batch")) as response:
        page.goto("/upgrade.html")
    # Playwright waits forever for the body of a request with `keepalive`.
    assert response.value.status == 200
    section.get_by_role("button", name=re.compile("^Don.t allow$")).click()
    expect(section).to_contain_text("t count your visits.")
    assert page.evaluate("sessionStorage.length") == 0
    count = len(seen)
    page.goto("/sign-up.html")
    expect(section).to_contain_text("t count your visits.")
    wait_for_script(page)
    page.evaluate("meridian.flush()")
    page.goto("about:blank")
    assert len(seen) == count
    for _, body in seen:
        for event in body["batch"]:
            assert event["context"]["consent"] == {"categoryPreferences": {"analytics": True}}
    assert set(answers) == {200}
    assert page_errors == []


def test_portal_asks_no_visitor_with_opt_out_signal(
    visit: Callable[..., Page], page_errors: list[str]
) -> None:
    page = visit()
    page.add_init_script(SIGNALS[0])
    page.goto("/")
    section = page.get_by_role("region", name="Visit statistics")
    expect(section).to_contain_text("Your browser asks sites not to track you")
    expect(section.get_by_role("button")).to_have_count(0)
    assert page_errors == []
