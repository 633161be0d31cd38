"""Parse a CloudFront viewer request, and build the request that CloudFront sends to the origin."""

from collections.abc import Mapping
from typing import Final

from edge_auth import cookies
from edge_auth.errors import RequestError

# Headers that identify the user to the origin. Only edge_auth may set them, so every variant that a
# server could treat as the same name (underscores, upper case) is removed from the viewer's
# request.
IDENTITY_HEADER_PREFIX: Final = "x-meridian-"

# How software marks a request for a page that the visitor may never open: HTML, "speculative
# loading" (Sec-Purpose); Chromium and Safari before it (Purpose, X-Purpose), Firefox (X-Moz).
_PURPOSE_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_SPECULATIVE_PURPOSES: Final = ("prefetch", "prerender", "preview")
# Next.js's router sends it with each prefetch.
_NEXT_PREFETCH_HEADER: Final = "next-router-prefetch"

type Headers = dict[str, list[dict[str, str]]]
"""lower-case name -> entries with "key" and "value", as in CloudFront's events."""


class ViewerRequest:
    """`Records[0].cf` of a viewer-request event (CloudFront, "Lambda@Edge event structure")."""

    __slots__ = (
        "cookies",
        "distribution",
        "headers",
        "id",
        "method",
        "query",
        "raw",
        "rule",
        "uri",
    )

    def __init__(self, event: object) -> None:
        """Parse the event.

        Raises:
            RequestError: The event isn't a viewer-request event.
        """
        #: The path pattern of the rule that matched, for the log. Empty until a rule matches.
        self.rule = ""
        try:
            record = event["Records"][0]["cf"]  # type: ignore[index]  # any value may arrive
            config, raw = record.get("config") or {}, record["request"]
            self.raw: dict[str, object] = raw
            self.uri: str = raw["uri"]
            self.method: str = raw.get("method") or "GET"
            self.query: str = raw.get("querystring") or ""
            self.headers: Headers = raw.get("headers") or {}
            self.id = _request_id(config.get("requestId"))
            self.distribution: str = str(config.get("distributionDomainName") or "").lower()
            for entries in self.headers.values():
                for entry in entries:
                    entry["value"].isascii()  # raises AttributeError unless it is a string
            self.cookies = cookies.parse_cookies(self.header_values("cookie"))
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise RequestError from error
        if not all(isinstance(text, str) for text in (self.uri, self.method, self.query)):
            raise RequestError

    def header_values(self, name: str) -> list[str]:
        """Return all values of a header in order. A repeated header has several entries."""
        return [entry["value"] for entry in self.headers.get(name) or ()]

    def header(self, name: str) -> str:
        """Return the first value of a header, or an empty string."""
        return next(iter(self.header_values(name)), "")

    @property
    def bearer_token(self) -> str | None:
        """The token of `Authorization: Bearer` (RFC 6750, section 2.1); None for another scheme.

        Raises:
            RequestError: The header occurs twice.
        """
        values = self.header_values("authorization")
        if not values:
            return None
        scheme, _, token = values[0].strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        if len(values) > 1:
            raise RequestError
        return token.strip()

    @property
    def is_navigation(self) -> bool:
        """True if a browser loads a page, so that it follows a redirect to the sign-in.

        Only GET and HEAD requests can be repeated after a redirect. A prefetch isn't visible to the
        visitor, and a client with a bearer token isn't a browser navigation.
        """
        return (
            self.method in ("GET", "HEAD")
            and self.wants_html
            and not self.is_speculative
            and self.bearer_token is None
        )

    @property
    def is_subresource(self) -> bool:
        """True if a page of this origin loads an image, a script, a media segment or data.

        Such a request can be repeated after a redirect. Browsers follow redirects for each
        destination, with the cookies that the redirect sets (Fetch, "HTTP-redirect fetch"), and a
        page of another origin can't set Sec-Fetch headers.
        """
        return (
            self.method in ("GET", "HEAD")
            and self.header("sec-fetch-site") == "same-origin"
            and self.header("sec-fetch-mode") in ("no-cors", "cors", "same-origin")
            and not self.is_speculative
            and self.bearer_token is None
        )

    @property
    def is_speculative(self) -> bool:
        """True if software requests a page that the visitor may never open.

        Such a request must not change any state: no sign-in, refresh or sign-out.
        """
        if _NEXT_PREFETCH_HEADER in self.headers:
            return True
        return any(
            purpose in value.lower()
            for name in _PURPOSE_HEADERS
            for value in self.header_values(name)
            for purpose in _SPECULATIVE_PURPOSES
        )

    @property
    def wants_html(self) -> bool:
        """True if the browser displays the response as a page.

        Browsers send Sec-Fetch-Mode (W3C Fetch Metadata, section 2.3); older ones accept text/html.
        """
        mode = self.header("sec-fetch-mode")
        if mode:
            return mode == "navigate"
        return any("text/html" in value.lower() for value in self.header_values("accept"))

    def to_origin_request(
        self, uri: str, identity: Mapping[str, str], *, strip_bearer_token: bool
    ) -> dict[str, object]:
        """Return the request for the origin, with identity headers and without edge_auth's cookies.

        CloudFront rejects changes to read-only headers ("Restrictions on all edge functions"), so
        other headers are not changed.
        """
        headers = self._origin_headers(identity, strip_bearer_token=strip_bearer_token)
        return {**self.raw, "headers": headers, "uri": uri}

    def to_api_request(self, uri: str, token: str) -> dict[str, object]:
        """Return the request for an origin that verifies tokens itself, without any cookie.

        A non-empty `token` becomes `Authorization: Bearer`.
        """
        all_headers = self._origin_headers({}, strip_bearer_token=False)
        headers = {
            name: entries for name, entries in all_headers.items() if name.lower() != "cookie"
        }
        if token:
            headers["authorization"] = [{"key": "Authorization", "value": f"Bearer {token}"}]
        return {**self.raw, "headers": headers, "uri": uri}

    def _origin_headers(self, identity: Mapping[str, str], *, strip_bearer_token: bool) -> Headers:
        headers: Headers = {}
        for name, entries in self.headers.items():
            normalized = name.lower().replace("_", "-")
            if normalized.startswith(IDENTITY_HEADER_PREFIX):
                continue
            if (
                normalized == "authorization"
                and strip_bearer_token
                and self.bearer_token is not None
            ):
                continue
            remaining = _strip_own_cookies(entries) if normalized == "cookie" else entries
            if remaining:
                headers[name] = remaining
        for name, value in identity.items():
            headers[name] = [{"key": name, "value": value}]
        return headers


def _request_id(value: object) -> str:
    """Return CloudFront's request ID, or an empty string if a header can't contain the value."""
    is_valid = isinstance(value, str) and value.isascii() and value.isprintable()
    return str(value)[:128] if is_valid else ""


def _strip_own_cookies(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {**entry, "value": header_value}
        for entry in entries
        if (header_value := cookies.strip_own_cookies(entry["value"]))
    ]
