"""A real browser for the tests of the running system."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from tools.setup.browser import NAMES


@contextmanager
def launched() -> Iterator[Browser]:
    """Chromium, or a loud skip. While it runs, so does an event loop: asyncio.run refuses."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = "NO CHROMIUM ON THIS MACHINE: THE BROWSER TESTS DID NOT RUN"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=found, args=flags)
        yield browser
        browser.close()
