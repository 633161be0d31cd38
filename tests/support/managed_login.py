"""Sign-in through the emulator's pages of managed login."""

from collections.abc import Callable

from playwright.sync_api import Page


def sign_in_with_password(page: Page, email: str, password: str) -> None:
    """Enter the address, choose the password, and enter it."""
    _choose(page, email, "PASSWORD")
    page.fill("input[name=password]", password)
    page.click("[type=submit]")


def sign_in_with_code(page: Page, email: str, read_code: Callable[[], str]) -> None:
    """Enter the address, ask for a code by email, and enter the one that `read_code` returns."""
    _choose(page, email, "EMAIL_OTP")
    page.locator("input[name=code]").wait_for()
    page.fill("input[name=code]", read_code())
    page.click("[type=submit]")


def _choose(page: Page, email: str, factor: str) -> None:
    page.fill("input[name=username]", email)
    page.click("[type=submit]")
    page.click(f"button[value={factor}]")
