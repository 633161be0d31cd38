"""A browser in memory: a cookie jar with the rules of `__Host-`, and redirects followed."""

from typing import Any
from urllib.parse import urlsplit

from edge_auth import decision
from edge_auth.gate import Gate
from tests.unit.edge_auth import issuer
from tests.unit.edge_auth.events import PAGE, viewer_request
from tests.unit.edge_auth.fake_cognito import FakeCognito

type Result = dict[str, Any]
"""A CloudFront result, read as JSON."""

REDIRECTS = 20  # as many as browsers follow


class TooManyRedirectsError(AssertionError):
    """Raised where a browser would give up."""


class Browser:
    def __init__(self, gate: Gate, cognito: FakeCognito, clock: issuer.Clock) -> None:
        self.gate = gate
        self.cognito = cognito
        self.clock = clock
        self.jar: dict[str, tuple[str, float]] = {}
        self.keeps_cookies = True
        self.visited: list[str] = []

    @property
    def cookies(self) -> dict[str, str]:
        return {name: value for name, (value, until) in self.jar.items() if self.clock() < until}

    def ask(
        self,
        address: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        sent: dict[str, str] | None = None,
    ) -> Result:
        """One request and its result; the jar is updated."""
        parts = urlsplit(address)
        event = viewer_request(
            parts.path,
            query=parts.query,
            method=method,
            headers=PAGE if headers is None else headers,
            cookies=self.cookies if sent is None else sent,
            host=parts.netloc or issuer.HOST,
        )
        result: Result = decision.answer(self.gate, event)[1].result
        self.keep(result)
        return result

    def keep(self, result: Result) -> None:
        """Takes the cookies of a response, by the rules of their prefix."""
        if "status" not in result:
            return
        for entry in result["headers"].get("set-cookie", []):
            first, *attributes = [part.strip() for part in entry["value"].split(";")]
            name, _, value = first.partition("=")
            assert name.startswith("__Host-")
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
            assert not any(part.startswith("Domain") for part in attributes)
            assert len(name) + len(value) <= 4_096
            seconds = next(int(part[8:]) for part in attributes if part.startswith("Max-Age="))
            if seconds <= 0:
                self.jar.pop(name, None)
            elif self.keeps_cookies:
                self.jar[name] = (value, self.clock() + seconds)

    def open(self, address: str) -> Result:
        """Follows redirects as a person's browser does; the last result."""
        for _ in range(REDIRECTS):
            self.visited.append(address)
            if address.startswith(issuer.HOSTED_UI):
                address = self.cognito.visit(address)
                continue
            result = self.ask(address)
            if result.get("status") != "303":
                return result
            address = location(result)
        raise TooManyRedirectsError(self.visited)


def location(result: Result) -> str:
    text = result["headers"]["location"][0]["value"]
    assert isinstance(text, str)
    return text
