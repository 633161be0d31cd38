"""Validate the fields that request and response results share: text, headers, bodies."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import FunctionResultError


def checked_text(value: Any, description: str) -> str:
    """Return a JSON string that UTF-8 can encode.

    `what` names the field in the message.

    Raises:
        FunctionResultError: The value isn't such a string.
    """
    if not isinstance(value, str):
        raise FunctionResultError(f"{description} isn't a string.", code="NotAString")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FunctionResultError(f"{description} isn't Unicode text.", code="NotAString") from None
    return value


def parse_headers(value: Any) -> h.HeaderMap:
    """Parse the `headers` object of a result: lower-case name to a list of {key?, value}.

    Raises:
        FunctionResultError: A header breaks a rule.
    """
    if not isinstance(value, dict):
        raise FunctionResultError("headers isn't an object.", code="BadHeaders")
    return {name: _entries(name, entries) for name, entries in value.items()}


def _entries(name: str, entries: Any) -> list[tuple[str, str]]:
    # Lambda@Edge event structure, "headers": "The keys in the headers object are lowercase versions
    # of standard HTTP header names."
    if not h.is_name(name) or name != name.lower():
        raise FunctionResultError("A header name isn't a lower-case token.", code="BadHeaders")
    if h.is_disallowed(name):
        raise FunctionResultError(
            f"The function added the disallowed header {name}.", code="Disallowed"
        )
    if not isinstance(entries, list) or not entries:
        raise FunctionResultError(f"Header {name} isn't a list of values.", code="BadHeaders")
    return [_entry(name, entry) for entry in entries]


def _entry(name: str, entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise FunctionResultError(f"A value of header {name} isn't an object.", code="BadHeaders")
    value = checked_text(entry.get("value"), f"the value of header {name}")
    if not h.is_value(value):
        raise FunctionResultError(f"Header {name} contains control characters.", code="BadHeaders")
    # "If you do not include the header key portion of the key-value pair, Lambda@Edge
    # automatically inserts a header key using the header name that you provide."
    key = entry.get("key")
    if key is None:
        return h.title_case(name), value
    if checked_text(key, f"the key of header {name}").lower() != name:
        raise FunctionResultError(f"The key of header {name} doesn't match.", code="BadHeaders")
    return key, value


def check_read_only(changed: h.HeaderMap, sent: Mapping[str, Any], event_type: str) -> None:
    """Check that the result leaves the read-only headers as they are.

    `sent` are the headers of the event.

    Raises:
        FunctionResultError: The result adds, changes or deletes a read-only header.
    """
    read_only = h.READ_ONLY[event_type]
    for name in read_only:
        before = [entry["value"] for entry in sent.get(name, [])]
        after = [value for _, value in changed.get(name, [])]
        if before != after:
            raise FunctionResultError(
                f"The function added, changed or deleted the read-only header {name}.",
                code="HeaderReadOnly",
            )
    # Restrictions on Lambda@Edge: "CloudFront-Viewer-Country header - If a viewer request function
    # adds this header, it fails validation and CloudFront returns HTTP status code 502".
    country = "cloudfront-viewer-country"
    if event_type == "viewer-request" and country in changed and country not in sent:
        raise FunctionResultError(
            "The function added CloudFront-Viewer-Country.", code="HeaderReadOnly"
        )


def decode_body(text: str, encoding: str) -> bytes:
    """Decode a body. `encoding` is text or base64.

    Raises:
        FunctionResultError: The encoding is another one, or the body isn't valid base64.
    """
    if encoding == "text":
        return text.encode()
    try:
        # "If you specify bodyEncoding as base64 but the body is not valid base64, CloudFront
        # returns an error."
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FunctionResultError("The body isn't valid base64.", code="BadEncoding") from None
