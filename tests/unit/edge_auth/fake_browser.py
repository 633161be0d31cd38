"""A browser in memory: a cookie jar that enforces the `__Host-` rules, and redirect handling."""

from typing import Any, Final
from urllib.parse import urlsplit

from edge_auth import authorization
from edge_auth.context import AuthContext
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.fake_cognito import FakeCognito
from tests.unit.edge_auth.viewer_events import NAVIGATION_HEADERS, viewer_request

type Result = dict[str, Any]
"""A CloudFront result as JSON."""

MAX_REDIRECTS: Final = 20  # Chromium's limit


class TooManyRedirectsError(AssertionError):
    """Raised when a browser would stop following redirects."""


class FakeBrowser:
    """A browser with one cookie jar, which sends its requests to edge_auth and FakeCognito."""

    def __init__(self, context: AuthContext, cognito: FakeCognito, clock: issuer.Clock) -> None:
        self.context = context
        self.cognito = cognito
        self.clock = clock
        self.jar: dict[str, tuple[str, float]] = {}
        self.visited: list[str] = []

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that haven't expired, name -> value."""
        return {name: value for name, (value, until) in self.jar.items() if self.clock() < until}

    def send(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
    ) -> Result:
        """Send one request, store the response's cookies and return the result.

        `headers` and `cookies` replace those of a navigation and those of the jar.
        """
        parts = urlsplit(url)
        event = viewer_request(
            parts.path,
            query=parts.query,
            method=method,
            headers=NAVIGATION_HEADERS if headers is None else headers,
            cookies=self.cookies if cookies is None else cookies,
            host=parts.netloc or issuer.HOST,
        )
        result: Result = authorization.handle_viewer_request(self.context, event)[1].result
        self.store_cookies(result)
        return result

    def store_cookies(self, result: Result) -> None:
        """Store a response's cookies. Fail if one violates the rules of the `__Host-` prefix."""
        if "status" not in result:
            return
        for entry in result["headers"].get("set-cookie", []):
            first, *attributes = [part.strip() for part in entry["value"].split(";")]
            name, _, value = first.partition("=")
            if name.startswith("CloudFront-"):
                # Cookies of the media's path, which edge_auth deletes and never gets.
                assert {"Path=/media/", "Max-Age=0"} <= set(attributes)
                continue
            assert name.startswith("__Host-")
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
            assert not any(part.startswith("Domain") for part in attributes)
            assert len(name) + len(value) <= 4_096
            seconds = next(int(part[8:]) for part in attributes if part.startswith("Max-Age="))
            if seconds <= 0:
                self.jar.pop(name, None)
            else:
                self.jar[name] = (value, self.clock() + seconds)

    def navigate(self, url: str) -> Result:
        """Load a page, follow redirects and return the last result."""
        for _ in range(MAX_REDIRECTS):
            self.visited.append(url)
            if url.startswith(issuer.HOSTED_UI):
                url = self.cognito.visit(url)
                continue
            result = self.send(url)
            if result.get("status") != "303":
                return result
            url = location(result)
        raise TooManyRedirectsError(self.visited)


def location(result: Result) -> str:
    """Return the Location header."""
    text = result["headers"]["location"][0]["value"]
    assert isinstance(text, str)
    return text
