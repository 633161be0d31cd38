"""Replace an origin's error document by a page of the site, at origin response.

S3 answers a missing key with an XML document. The status stays, so that an origin group still
fails over and the metrics of the distribution count it.
"""

from typing import Final

from edge_auth.error_pages import CSP, render_origin_error

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


def replace_error(
    cf: dict[str, dict[str, object]], response: dict[str, object], site_name: str
) -> dict[str, object]:
    """Return the response of an origin with an error, with a page as its body.

    Args:
        cf: `Records[0].cf` of an origin-response event.
        response: Its member `response`, with a status from 400.
        site_name: Name of the site in the page.
    """
    headers = dict(response["headers"])  # type: ignore[call-overload]  # CloudFront's event
    for name in _OF_THE_BODY:
        headers.pop(name, None)
    for key, value in (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", CSP),
        ("Cache-Control", "no-store"),
    ):
        headers[key.lower()] = [{"key": key, "value": value}]
    page: dict[str, object] = {**response, "headers": headers}
    if cf["request"]["method"] != "HEAD":
        page["body"] = render_origin_error(
            int(str(response["status"])),
            site_name=site_name,
            request_id=str(cf["config"].get("requestId", "")),
        )
    return page
