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


def add_passkey(page: Page, email: str, password: str) -> None:
    """Sign in with the password on the page that registers a passkey, and create one there."""
    sign_in_with_password(page, email, password)
    page.get_by_role("button", name="Create a passkey").click()


def sign_in_with_passkey(page: Page, email: str) -> None:
    """Enter the address, and let the browser's authenticator answer."""
    _choose(page, email, "WEB_AUTHN")
    page.get_by_role("button", name="Sign in with a passkey").click()


def _choose(page: Page, email: str, factor: str) -> None:
    page.fill("input[name=username]", email)
    page.click("[type=submit]")
    page.click(f"button[value={factor}]")
