"""Hypothesis strategies, with a section for each component."""

import base64
import gzip
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

import clickstream
from aws_emulator.tests import strategies as emulator_strategies

# --- clickstream ---

json_values = emulator_strategies.json_values
json_objects = st.dictionaries(st.text(max_size=8), json_values(), max_size=5)


def iso_times() -> st.SearchStrategy[str]:
    """Generate UTC times with milliseconds, in the format of the wire record."""
    return st.integers(0, 7_000_000_000_000).map(
        lambda ms: (
            datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            + f".{ms % 1000:03d}Z"
        )
    )


# Created once: creating a strategy takes longer than drawing from it.
_times = iso_times()
_maybe_text = st.none() | st.text(max_size=40)
_headers = st.builds(
    clickstream.Header,
    request_id=st.text(max_size=56),
    received_at=_times,
    sent_at=st.none() | _times | st.text(max_size=10),
    source=st.text(min_size=1, max_size=20),
    stream_region=st.just("us-east-1"),
    edge_region=st.sampled_from(["us-east-1", "ap-south-1"]),
    failover=st.booleans(),
    ip=_maybe_text,
    user_agent=_maybe_text,
    bot=st.booleans(),
    country=_maybe_text,
    region=_maybe_text,
    city=_maybe_text,
    time_zone=_maybe_text,
    device=st.sampled_from([None, "desktop", "mobile", "tablet", "tv"]),
    context=(st.none() | json_objects).map(lambda it: msgspec.Raw(msgspec.json.encode(it))),
)
_accepted = st.builds(
    clickstream.Accepted,
    i=st.just(0),
    message_id=st.text(min_size=1, max_size=99),
    message_id_source=st.sampled_from(["client", "derived"]),
    timestamp=_times,
    original_timestamp=st.none() | _times,
    event=json_objects.map(lambda it: msgspec.Raw(msgspec.json.encode(it))),
)
_rejected = st.builds(
    clickstream.Rejected,
    i=st.just(0),
    code=st.sampled_from(["no_user_anon_id", "invalid_json", "event_too_large"]),
    message=st.text(max_size=40),
    raw=st.text(max_size=60),
)


def headers() -> st.SearchStrategy[clickstream.Header]:
    """Generate headers as the collector creates them; the encoder sets the counts."""
    return _headers


@st.composite
def packed_requests(
    draw: st.DrawFn,
) -> tuple[clickstream.Header, list[clickstream.Accepted], list[clickstream.Rejected]]:
    """Generate a header with its accepted and rejected events, as the collector packs them."""
    accepted = [
        msgspec.structs.replace(one, i=position)
        for position, one in enumerate(draw(st.lists(_accepted, max_size=6)))
    ]
    rejected = [
        msgspec.structs.replace(one, i=position)
        for position, one in enumerate(draw(st.lists(_rejected, max_size=3)), len(accepted))
    ]
    return draw(_headers), accepted, rejected


# --- edge_auth ---

_path_parts = st.sampled_from(
    ["/", "//", "/./", "/../", "..", ".", ";", ";a=b", "%2e", "%2E%2e", "%2f", "%5c", "\\", "%25",
     "%252e", "%00", "%0a", "%c0%af", "%", "%zz", "?", "#", " ", "%20", "é", "%C3%A9", "\u2025",
     "premium", "app", "auth", "Premium", "%70remium", "premium%2f", "lesson.html", "index.html",
     "sign-in", "callback", "refresh", "session", "sign-out"]
)  # fmt: skip
viewer_uris = st.lists(_path_parts | st.text(max_size=3), max_size=8).map(
    lambda parts: "/" + "".join(parts)
)
_cookie_names = st.sampled_from(
    [f"__Host-meridian-{name}" for name in ("token", "token.2", "token.3", "refresh", "refreshed")]
    + [
        "__Host-meridian-login-AAAAAAAAAAAA",
        "__Host-meridian-sign-ins",
        "__Host-meridian-",
        "theme",
    ]
)
_cookie_lines = st.lists(
    st.tuples(_cookie_names | st.text(max_size=4), st.text(max_size=30)), max_size=5
).map(lambda pairs: "; ".join(f"{name}={value}" for name, value in pairs))
_viewer_headers = st.dictionaries(
    st.sampled_from(
        [
            "accept",
            "authorization",
            "cookie",
            "host",
            "sec-fetch-mode",
            "sec-fetch-site",
            "via",
            "sec-purpose",
            "x-meridian-subject",
            "x_meridian_groups",
            "content-length",
            "x-other",
        ]
    ),
    st.lists(
        st.text(max_size=40)
        | _cookie_lines
        | st.sampled_from(
            ["text/html", "navigate", "cors", "Bearer x.y.z", "cross-site", "Basic a"]
        )
        | st.sampled_from(["d111111abcdef8.cloudfront.net", "localhost:8080", "evil.example"]),
        min_size=1,
        max_size=2,
    ),
    max_size=8,
)


@st.composite
def viewer_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Generate viewer-request events with arbitrary values for everything a visitor controls."""
    headers = draw(_viewer_headers)
    request = {
        "clientIp": "203.0.113.178",
        "method": draw(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE", "X"])),
        "uri": draw(viewer_uris),
        "querystring": draw(
            st.text(max_size=30)
            | st.sampled_from(["code=1&state=AAAA", "return_to=//evil.example"])
        ),
        "headers": {
            name: [{"key": name, "value": value} for value in values]
            for name, values in headers.items()
        },
    }
    config = {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "eventType": "viewer-request",
        "requestId": draw(st.text(max_size=60)),
    }
    return {"Records": [{"cf": {"config": config, "request": request}}]}


# --- edge_ingest ---

_PATHS = st.sampled_from(
    ["/v1/batch", "/v1/b/", "/v1/track", "/v1/p", "/beacon/v1/batch", "/pixel/v1/page",
     "/v1/pixel/track.gif", "/v1/projects/WK_portal/settings", "/sourceConfig/", "/v1/nothing"]
)  # fmt: skip
_HEADERS = st.sampled_from(
    ["authorization", "origin", "cookie", "user-agent", "x-write-key", "sec-gpc", "dnt", "referer",
     "access-control-request-headers", "cloudfront-viewer-country", "cloudfront-viewer-city",
     "cloudfront-is-mobile-viewer"]
)  # fmt: skip
_HEADER_VALUES = st.text(max_size=40) | st.sampled_from(
    ["Basic V0tfcG9ydGFsOg==", "Basic V0tfcG9ydGFs", "https://school.example", "null", "true", "1",
     "authorization,content-type", "a\r\nset-cookie: b", "WK_portal"]
)  # fmt: skip
_QUERIES = st.text(max_size=40) | st.sampled_from(
    ["writeKey=WK_portal", "writeKey=WK_portal&userId=u&event=e", "writeKey=WK_portal&data=e30",
     "writeKey=WK_portal&data=%%%", "a.b.c.d.e.f.g.h.i.j=1&writeKey=WK_portal"]
)  # fmt: skip
_BODIES = (
    st.binary(max_size=60)
    | json_values().map(msgspec.json.encode)
    | st.lists(json_values(), max_size=5).map(lambda b: msgspec.json.encode({"batch": b}))
    | json_objects.map(lambda o: gzip.compress(msgspec.json.encode(o), mtime=0))
)


@st.composite
def origin_requests(draw: st.DrawFn) -> dict[str, Any]:
    """Generate origin-request events with arbitrary values for everything a client controls."""
    names = draw(st.dictionaries(_HEADERS | st.text(min_size=1, max_size=9), _HEADER_VALUES))
    request: dict[str, Any] = {
        "method": draw(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"])),
        "uri": draw(_PATHS | st.text(max_size=20)),
        "querystring": draw(_QUERIES),
        "clientIp": draw(st.ip_addresses().map(str) | st.text(max_size=9)),
        "headers": {name: [{"key": name, "value": value}] for name, value in names.items()},
    }
    if draw(st.booleans()):
        request["body"] = {
            "action": "read-only",
            "encoding": "base64",
            "inputTruncated": draw(st.integers(0, 9)) == 9,
            "data": base64.b64encode(draw(_BODIES)).decode(),
        }
    config = {
        "distributionDomainName": "d111111abcdef8.cloudfront.net",
        "distributionId": "EDFDVBD6EXAMPLE",
        "eventType": "origin-request",
        "requestId": draw(st.text(max_size=56)),
    }
    return {"Records": [{"cf": {"config": config, "request": request}}]}


# --- stream_processor ---

_any_json = json_objects | st.lists(json_objects, max_size=3) | json_values()
_events = st.builds(
    clickstream.Accepted,
    i=st.just(0),
    message_id=st.sampled_from(["a", "b", "c", "d"]),
    message_id_source=st.just("client"),
    timestamp=_times | st.text(max_size=6),
    original_timestamp=st.none() | _times | st.text(max_size=6),
    event=st.builds(
        lambda one, other: msgspec.Raw(msgspec.json.encode(one | other)),
        json_objects,
        st.sampled_from([{"type": "page"}, {"type": "track"}, {}]),
    ),
)


@st.composite
def stream_payloads(draw: st.DrawFn) -> bytes:
    """Generate stream records: valid, damaged, plain JSON, or random bytes."""
    kind = draw(st.sampled_from(["packed", "packed", "damaged", "plain", "noise"]))
    if kind == "noise":
        return draw(st.binary(max_size=30))
    if kind == "plain":
        return msgspec.json.encode(draw(_any_json))
    events = [
        msgspec.structs.replace(one, i=position)
        for position, one in enumerate(draw(st.lists(_events, max_size=3)))
    ]
    refused = [
        clickstream.Rejected(i=9, code="type_unknown", message="no", raw=draw(st.text(max_size=9)))
        for _ in range(draw(st.integers(0, 1)))
    ]
    (record,) = clickstream.encode(draw(headers()), events, refused)
    if kind == "damaged":
        position = draw(st.integers(0, len(record) - 1))
        return record[:position] + draw(st.binary(max_size=3)) + record[position + 1 :]
    return record


# --- api ---

#: Injection payloads for strings, expressions and form bodies that aren't escaped.
api_injections = (
    "O'Brien",
    '"},"ConditionExpression":"attribute_exists(pk)',
    "\\",
    "\\'",
    '\\"',
    "\\u0022",
    "\n\r\t\b\f\x00\x1f\x7f",
    "\u2028\u2029\ufeff\ufffe",
    "$context.requestId $!{util} ${input}",
    "#set($x = 1)#if(true)yes#end ## #* *#",
    "&Action=DeleteQueue&MessageBody=+%26",
    "</script><script>alert(1)</script>",
    "\U0001f600 e\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 Nguy\u1ec5n",
    "\ud83d",
)
api_texts = st.text(max_size=30) | st.builds(
    lambda before, evil, after: before + evil + after,
    st.text(max_size=5),
    st.sampled_from(api_injections),
    st.text(max_size=5),
)

# --- stepfunctions ---

#: Unicode-equivalent spellings: ligatures, full width and the Kelvin sign.
_LOOKALIKES = {"fi": "\ufb01", "k": "\u212a", "@": "\uff20", ".": "\uff0e"}


@st.composite
def email_forms(draw: st.DrawFn, address: str) -> str:
    """Generate Unicode-equivalent spellings of `address`."""
    written = address
    for plain, other in _LOOKALIKES.items():
        if draw(st.booleans()):
            written = written.replace(plain, other)
    changed = [
        draw(st.sampled_from([one, one.upper(), chr(ord(one) + 0xFEE0)]))
        if one.isascii() and one.isalnum()
        else one
        for one in written
    ]
    return " " * draw(st.integers(0, 2)) + "".join(changed)


def emails() -> st.SearchStrategy[str]:
    """Generate valid lower-case email addresses."""
    atom = st.text("abcdefghijklmnopqrstuvwxyz0123456789+_-", min_size=1, max_size=12)
    label = st.from_regex(r"[a-z](?:[a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
    return st.builds(
        lambda local, domain: f"{'.'.join(local)}@{'.'.join(domain)}",
        st.lists(atom, min_size=1, max_size=3),
        st.lists(label, min_size=2, max_size=3),
    )


def form_fields() -> st.SearchStrategy[dict[str, str | None]]:
    """Generate arbitrary values for the fields of the sign-up form."""
    text = st.text(max_size=60) | emails()
    return st.fixed_dictionaries(
        {
            "email": text,
            "name": text,
            "date_of_birth": st.none() | text | st.dates().map(str),
            "programme": st.none() | text,
            "locale": st.none() | text,
            "guardian_email": st.none() | text,
        }
    )
