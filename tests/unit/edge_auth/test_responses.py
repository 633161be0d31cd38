"""Generated responses respect CloudFront's size quota."""

import pytest

from edge_auth.errors import ResponseTooLargeError
from edge_auth.responses import MAX_RESPONSE_BYTES, generate_response


def bytes_without_body() -> int:
    """Return the size of the headers of a response without a request ID."""
    result = generate_response(None, 200, "passed").result
    headers = result["headers"]
    assert isinstance(headers, dict)
    return sum(len(it["key"]) + len(it["value"]) + 4 for (it,) in headers.values())


@pytest.mark.parametrize("character", ["x", "\u00e9"])
def test_response_of_40_kb_is_accepted_and_longer_one_refused(character: str) -> None:
    available = MAX_RESPONSE_BYTES - bytes_without_body()
    fitting = character * (available // len(character.encode()))
    fitting += "x" * (available - len(fitting.encode()))
    assert generate_response(None, 200, "passed", body=fitting).result["body"] == fitting
    with pytest.raises(ResponseTooLargeError):
        generate_response(None, 200, "passed", body=fitting + "x")


def test_cookies_count_towards_the_quota() -> None:
    cookies = ["x" * 4_096] * 10
    with pytest.raises(ResponseTooLargeError):
        generate_response(None, 303, "passed", set_cookies=cookies)
