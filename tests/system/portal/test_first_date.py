"""The account page offers the first free date, whichever answer of the API comes last."""

from typing import Any, Final

import pytest
from playwright.sync_api import Browser, expect

from tests.support.portal_pages import ORIGIN, serve

pytestmark = pytest.mark.browser

#: Answers to requests whose address contains the text wait.
DELAYED: Final = """const now = fetch;
window.fetch = async (address, options) => {
  if (String(address).includes("NAME")) await new Promise((then) => setTimeout(then, 300));
  return now(address, options);
};"""
SLOT: Final = "2030-12-05T03:00:00Z"


def answer(_method: str, path: str, _sent: Any) -> tuple[int, dict[str, Any]]:
    advisor = {"advisorId": "linh", "name": "Linh", "subject": "maps", "timeZone": "Asia/Kolkata"}
    profile = {"displayName": "Maya", "locale": "en", "timeZone": "Asia/Kolkata", "interests": []}
    listed = {"advisors": [advisor], "appointments": [], "slots": [SLOT]}
    return 200, profile if path.startswith("/profile") else listed


@pytest.mark.parametrize("name", ["/api/profile", "/api/advisors", "/slots", "/api/appointments"])
def test_first_free_date_is_offered_whichever_answer_is_last(chromium: Browser, name: str) -> None:
    context = chromium.new_context(base_url=ORIGIN, locale="en-GB")
    serve(context, answer)
    page = context.new_page()
    page.add_init_script(DELAYED.replace("NAME", name))
    page.goto("/app/")
    expect(page.locator("#start option")).to_have_attribute("value", SLOT, timeout=15_000)
    expect(page.locator("#day")).to_have_value("2030-12-05")
    context.close()
