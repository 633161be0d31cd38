"""Chromium for the browser tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tools.setup.browser import find_chromium

#: For `expect` instead of Playwright's 5 seconds: pages are slow on a busy machine.
EXPECT_TIMEOUT_MS: Final = 60_000


@contextmanager
def launched() -> Iterator[Browser]:
    """Launch Chromium, or skip the test. Playwright's event loop prevents asyncio.run meanwhile."""
    chromium = find_chromium()
    if chromium is None:
        reason = "Chromium is not installed: browser tests did not run"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=flags,
            # Visitors' browsers have the back/forward cache; Playwright disables it.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        expect.set_options(timeout=EXPECT_TIMEOUT_MS)
        yield browser
        browser.close()
