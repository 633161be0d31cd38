"""Validate the `origin` field of an origin-request result."""

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_functions.result_fields import checked_text, parse_headers
from aws_emulator.cloudfront.errors import FunctionResultError
from aws_emulator.cloudfront.model import Origin

_DOMAIN: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_SSL_PROTOCOLS: Final = frozenset({"TLSv1.2", "TLSv1.1", "TLSv1", "SSLv3"})


def _invalid(message: str) -> FunctionResultError:
    return FunctionResultError(message, code="BadOrigin")


def parse_origin(
    result: Mapping[str, Any],
    sent: Mapping[str, Any],
    headers: h.HeaderMap,
    origin: Origin,
) -> Origin:
    """Return the origin that the function selected.

    `sent` is the origin in the event, `headers` are the headers of the result. Lambda@Edge event
    structure, "origin": "The origin structure must contain exactly one origin, which can be a
    custom origin or an Amazon S3 origin."

    Raises:
        FunctionResultError: The origin breaks a rule.
    """  # noqa: DOC501 - `_invalid` returns the error
    selected = result.get("origin")
    if selected == sent:
        return origin
    if (
        not isinstance(selected, dict)
        or len(selected) != 1
        or not selected.keys() <= {"s3", "custom"}
    ):
        raise _invalid("The origin must contain exactly one of custom and s3.")
    ((kind, fields),) = selected.items()
    if not isinstance(fields, dict):
        raise _invalid("The origin isn't an object.")
    custom_headers = _custom_headers(fields, headers)
    if kind == "s3":
        return _s3(fields, custom_headers, origin)
    return _custom(fields, custom_headers, origin)


def _custom_headers(fields: Mapping[str, Any], headers: h.HeaderMap) -> tuple[tuple[str, str], ...]:
    custom_headers = parse_headers(fields.get("customHeaders", {}))
    for name in custom_headers:
        if not h.is_custom_allowed(name):
            raise _invalid(f"CloudFront can't add the custom header {name}.")
        # "A header with the same name can't be present in Records.cf.request.headers."
        if name in headers:
            raise _invalid(f"The header {name} is also a custom header.")
    return tuple(h.flatten(custom_headers))


def _path(fields: Mapping[str, Any]) -> str:
    path = checked_text(fields.get("path", ""), "the origin's path")
    # "The path should start with a forward slash (/) but shouldn't end with one", and "have a
    # maximum length of 255 characters".
    if path and (not path.startswith("/") or path.endswith("/") or len(path) > 255):
        raise _invalid("The origin's path must start with a slash and must not end with one.")
    if not h.is_value(path) or not path.isascii() or re.search(r"[\s?#]", path):
        raise _invalid("The origin's path isn't URL encoded.")
    return path


def _domain(fields: Mapping[str, Any], limit: int) -> str:
    domain = checked_text(fields.get("domainName"), "the origin's domainName")
    if len(domain) > limit or not _DOMAIN.fullmatch(domain):
        raise _invalid("The origin's domainName isn't a domain name.")
    return domain


def _s3(
    fields: Mapping[str, Any], custom_headers: tuple[tuple[str, str], ...], origin: Origin
) -> Origin:
    # "The name can be up to 128 characters, and must be all lowercase."
    domain = _domain(fields, 128)
    if domain != domain.lower():
        raise _invalid("The bucket's domainName must be lower case.")
    method = fields.get("authMethod", "none")
    if method not in ("none", "origin-access-identity"):
        raise _invalid("authMethod must be none or origin-access-identity.")
    region = checked_text(fields.get("region", ""), "the origin's Region")
    if method == "origin-access-identity" and (not region or origin.kind != "s3"):
        raise _invalid("origin-access-identity requires a Region and an S3 origin.")
    return Origin(
        id=origin.id,
        kind="s3",
        domain=domain,
        path=_path(fields),
        custom_headers=custom_headers,
        # Access control belongs to the origin in the distribution; a function can't change it.
        signing_behavior=origin.signing_behavior if origin.kind == "s3" else None,
        access_identity=origin.access_identity if method == "origin-access-identity" else None,
        region=region or origin.region,
        attempts=origin.attempts,
        connect_timeout=origin.connect_timeout,
    )


def _number(fields: Mapping[str, Any], name: str, default: int) -> int:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _invalid(f"The origin's {name} isn't a number.")
    return value


def _custom(
    fields: Mapping[str, Any], custom_headers: tuple[tuple[str, str], ...], origin: Origin
) -> Origin:
    # "The domain name can't include a colon (:), and can't be an IP address. The domain name can be
    # up to 253 characters."
    domain = _domain(fields, 253)
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        pass
    else:
        raise _invalid("The origin's domainName is an IP address.")
    current = origin if origin.kind == "custom" else Origin(origin.id, "custom", domain)
    protocol = fields.get("protocol", current.protocol)
    if protocol not in ("http", "https"):
        raise _invalid("The origin's protocol must be http or https.")
    port = _number(fields, "port", current.port)
    # "The port must be 80, 443, or a number in the range of 1024-65535, inclusive."
    if port not in (80, 443) and not 1024 <= port <= 65_535:
        raise _invalid("The origin's port must be 80, 443 or 1024-65535.")
    keepalive = _number(fields, "keepaliveTimeout", current.keepalive_timeout)
    read = _number(fields, "readTimeout", current.read_timeout)
    # keepaliveTimeout "must be a number from 1-60, inclusive", readTimeout "from 4-60, inclusive".
    if not 1 <= keepalive <= 60 or not 4 <= read <= 60:
        raise _invalid("keepaliveTimeout must be 1-60 and readTimeout 4-60 seconds.")
    protocols = fields.get("sslProtocols", list(current.ssl_protocols))
    if not isinstance(protocols, list) or not all(
        isinstance(each, str) and each in _SSL_PROTOCOLS for each in protocols
    ):
        raise _invalid("The origin's sslProtocols contain an unknown protocol.")
    return dataclasses.replace(
        current,
        domain=domain,
        path=_path(fields),
        custom_headers=custom_headers,
        protocol=protocol,
        port=port,
        keepalive_timeout=keepalive,
        read_timeout=read,
        ssl_protocols=tuple(protocols),
    )
