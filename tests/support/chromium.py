"""Chromium for the browser tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.setup.browser import find_chromium


@contextmanager
def launched() -> Iterator[Browser]:
    """Launch Chromium, or skip the test. Playwright's event loop prevents asyncio.run meanwhile."""
    found = find_chromium()
    if found is None:
        reason = "Chromium is not installed: browser tests did not run"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()
