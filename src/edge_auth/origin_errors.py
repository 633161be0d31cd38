"""Replace an origin's error document by a page of the site or a sentence, at origin response.

S3 answers a missing key with an XML document. The status stays, so that an origin group still
fails over and the metrics of the distribution count it.
"""

from typing import Final

from edge_auth.error_pages import content_security_policy, render_origin_error
from edge_auth.settings import Site

# They describe the replaced body. CloudFront allows their removal: "Restrictions on all edge
# functions" names Transfer-Encoding and Via as read-only at origin response.
_OF_THE_BODY: Final = (
    "accept-ranges",
    "content-encoding",
    "content-language",
    "content-length",
    "etag",
    "last-modified",
)


# What a browser loads for a page, such as a script: nobody reads the answer.
_PAGE_SUFFIXES: Final = ("", "html")
_MISSING: Final = "This site has no such file.\n"
_BROKEN: Final = "This file isn't available right now. Try again in a moment.\n"


def replace_error(
    cf: dict[str, dict[str, object]], response: dict[str, object], site: Site
) -> dict[str, object]:
    """Return the response of an origin with an error, with another body.

    It is a page for a path without a suffix or with `.html`, and a sentence for another file.

    Args:
        cf: `Records[0].cf` of an origin-response event.
        response: Its member `response`, with a status from 400.
        site: Name, logo and script of the site in the page.
    """
    headers = dict(response["headers"])  # type: ignore[call-overload]  # CloudFront's event
    for name in _OF_THE_BODY:
        headers.pop(name, None)
    request, status = cf["request"], int(str(response["status"]))
    _, _, suffix = str(request["uri"]).rpartition("/")[2].partition(".")
    is_page = suffix in _PAGE_SUFFIXES
    policy = content_security_policy(site) if is_page else "default-src 'none'"
    for key, value in (
        ("Content-Type", f"text/{'html' if is_page else 'plain'}; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("Cache-Control", "no-store"),
    ):
        headers[key.lower()] = [{"key": key, "value": value}]
    replaced: dict[str, object] = {**response, "headers": headers}
    if request["method"] == "HEAD":
        return replaced
    if is_page:
        request_id = str(cf["config"].get("requestId", ""))
        replaced["body"] = render_origin_error(status, site=site, request_id=request_id)
    else:
        replaced["body"] = _MISSING if status in (404, 410) else _BROKEN
    return replaced
