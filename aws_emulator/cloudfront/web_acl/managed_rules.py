"""AWS managed rule groups: the rules whose bounds and patterns AWS documents.

AWS WAF developer guide, "Baseline rule groups". AWS doesn't publish the patterns of the other
rules, such as those against cross-site scripting, so a request that passes here can be blocked
there. `Host_localhost_HEADER` is left out, because the loopback represents the distribution.
"""

from typing import Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.headers import first
from aws_emulator.cloudfront.model import Request
from aws_emulator.cloudfront.web_acl.statements import Matcher

MAX_QUERY_BYTES: Final = 2_048
MAX_COOKIE_BYTES: Final = 10_240
MAX_BODY_BYTES: Final = 8_192
MAX_PATH_BYTES: Final = 1_024

#: Names of rules whose documented example is the pattern `${jndi:ldap://example.com/}`.
_LOG4J: Final = "${jndi:"


def _headers(request: Request) -> str:
    return "\n".join(value for _, value in h.flatten(request.headers))


#: Vendor and name of a group -> its rules, in the order of the documentation. Each of them blocks.
GROUPS: Final[dict[tuple[str, str], dict[str, Matcher]]] = {
    ("AWS", "AWSManagedRulesCommonRuleSet"): {
        "NoUserAgent_HEADER": lambda request: not first(request.headers, "user-agent"),
        "SizeRestrictions_QUERYSTRING": lambda request: len(request.query) > MAX_QUERY_BYTES,
        "SizeRestrictions_Cookie_HEADER": lambda request: (
            len(first(request.headers, "cookie")) > MAX_COOKIE_BYTES
        ),
        "SizeRestrictions_BODY": lambda request: len(request.body) > MAX_BODY_BYTES,
        "SizeRestrictions_URIPATH": lambda request: len(request.uri) > MAX_PATH_BYTES,
    },
    ("AWS", "AWSManagedRulesKnownBadInputsRuleSet"): {
        "PROPFIND_METHOD": lambda request: request.method == "PROPFIND",
        "Log4JRCE_HEADER": lambda request: _LOG4J in _headers(request),
        "Log4JRCE_QUERYSTRING": lambda request: _LOG4J in request.query,
        "Log4JRCE_URIPATH": lambda request: _LOG4J in request.uri,
        "Log4JRCE_BODY": lambda request: _LOG4J.encode() in request.body[:MAX_BODY_BYTES],
    },
}
