"""A CloudFront viewer request, read defensively, and what of it goes on to the origin."""

from collections.abc import Mapping

from edge_auth import cookies
from edge_auth.errors import RequestError

# Headers that tell the origin who was let in. Nobody else may set them, in any spelling that a
# server folds into the same name (underscores, upper case).
IDENTITY_PREFIX = "x-meridian-"


class Request:
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
        """Raises RequestError for what is no such event."""
        #: The pattern of the rule that judged it, once there is one.
        self.rule = ""
        try:
            record = event["Records"][0]["cf"]  # type: ignore[index]  # whatever was sent
            config, raw = record.get("config") or {}, record["request"]
            self.raw: dict[str, object] = raw
            self.uri: str = raw["uri"]
            self.method: str = raw.get("method") or "GET"
            self.query: str = raw.get("querystring") or ""
            self.headers: dict[str, list[dict[str, str]]] = raw.get("headers") or {}
            self.id = _identifier(config.get("requestId"))
            self.distribution: str = str(config.get("distributionDomainName") or "").lower()
            for entries in self.headers.values():
                for entry in entries:
                    entry["value"].isascii()  # a text, or an AttributeError
            self.cookies = cookies.read(self.lines("cookie"))
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise RequestError from error
        if not all(isinstance(text, str) for text in (self.uri, self.method, self.query)):
            raise RequestError

    def lines(self, name: str) -> list[str]:
        """Every value of a header, in order. Repeated headers are several entries."""
        return [entry["value"] for entry in self.headers.get(name) or ()]

    def header(self, name: str) -> str:
        """The first value of a header, or an empty text."""
        return next(iter(self.lines(name)), "")

    @property
    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer` (RFC 6750, section 2.1); None for another scheme."""
        values = self.lines("authorization")
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
        """True when a person is waiting for a page, so that a redirect is an answer.

        Browsers say so in Sec-Fetch-Mode (W3C Fetch Metadata, section 2.3); older ones by asking
        for HTML. Only GET and HEAD can be repeated after a redirect; a prefetch has no person, and
        who sends a bearer token is a program.
        """
        return (
            self.method in ("GET", "HEAD")
            and self.wants_page
            and "prefetch" not in self.header("sec-purpose")
            and self.bearer is None
        )

    @property
    def wants_page(self) -> bool:
        """True when the answer is shown to a person rather than read by a program."""
        mode = self.header("sec-fetch-mode")
        if mode:
            return mode == "navigate"
        return any("text/html" in value.lower() for value in self.lines("accept"))

    def passed(self, uri: str, identity: Mapping[str, str], *, gated: bool) -> dict[str, object]:
        """The request as the origin gets it: our cookies and look-alikes gone, identity added.

        `gated` requests also lose the bearer token that opened the gate. The read-only headers
        (CloudFront, "Restrictions on all edge functions") are not touched.
        """
        return {**self.raw, "headers": self._kept(identity, gated=gated), "uri": uri}

    def forwarded(self, uri: str, token: str) -> dict[str, object]:
        """The request as an origin gets it that judges tokens itself: with no cookie at all, and
        with `token`, unless it is empty, as `Authorization: Bearer`."""
        kept = self._kept({}, gated=False)
        headers = {name: entries for name, entries in kept.items() if name.lower() != "cookie"}
        if token:
            headers["authorization"] = [{"key": "Authorization", "value": f"Bearer {token}"}]
        return {**self.raw, "headers": headers, "uri": uri}

    def _kept(self, identity: Mapping[str, str], *, gated: bool) -> dict[str, list[dict[str, str]]]:
        kept: dict[str, list[dict[str, str]]] = {}
        for name, entries in self.headers.items():
            plain = name.lower().replace("_", "-")
            if plain.startswith(IDENTITY_PREFIX):
                continue
            if plain == "authorization" and gated and self.bearer is not None:
                continue
            left = _without_our_cookies(entries) if plain == "cookie" else entries
            if left:
                kept[name] = left
        for name, text in identity.items():
            kept[name] = [{"key": name, "value": text}]
        return kept


def _identifier(value: object) -> str:
    """CloudFront's request id, which goes into headers; empty for what could not."""
    is_one = isinstance(value, str) and value.isascii() and value.isprintable()
    return str(value)[:128] if is_one else ""


def _without_our_cookies(entries: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {**entry, "value": line}
        for entry in entries
        if (line := cookies.without_ours(entry["value"]))
    ]
