"""Send origin requests to S3 buckets, REST APIs of API Gateway, and loopback servers."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Final
from urllib.parse import quote, unquote

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import Origin, Request
from aws_emulator.cloudfront.origins.bucket_policy import (
    BucketPolicy,
    Principal,
    parse_bucket_policy,
)
from aws_emulator.cloudfront.origins.resolver import Resolver
from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.cloudfront.transport.http_client import ConnectError, ConnectionPool, HttpResponse
from aws_emulator.cloudfront.transport.sigv4 import sign

#: How long the client caches a bucket policy.
_POLICY_TTL_S: Final = 2.0
# Request and response behavior for Amazon S3 origins, "Origin response timeout": 30 seconds.
_S3_TIMEOUT_S: Final = 30.0
_SERVER_ERROR: Final = 500
_BUCKET: Final = re.compile(
    r"(?P<bucket>.+?)\.s3(?:[.-](?P<region>[a-z]{2}-[a-z]+-\d))?\.amazonaws\.com"
)
_API: Final = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")
_ASCII: Final = "".join(map(chr, range(33, 127)))
_HTTPS_PORT: Final = 443
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1"})
_ACTIONS: Final = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}


@dataclass(slots=True)
class OriginResponse:
    """A response of an origin. Without `body`, `answer` streams the body.

    `refusal` says why S3 denied the request and how to allow it; only the access log shows it.
    """

    status: int
    reason: str
    headers: h.HeaderMap
    body: bytes | None
    response: HttpResponse | None = None
    timeout_s: float = _S3_TIMEOUT_S
    refusal: str | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Stream the body.

        Raises:
            TimeoutError: The origin stopped sending for the read timeout.
            ConnectionError: The origin closed the connection before the body was complete.
        """
        if self.response is None:
            if self.body:
                yield self.body
            return
        async with aclosing(self.response.chunks(self.timeout_s)) as stream:
            async for chunk in stream:
                yield chunk

    def close(self) -> None:
        """Release the connection without reading the rest of the body."""
        if self.response is not None:
            self.response.close()


def bucket_of(domain: str) -> tuple[str, str] | None:
    """Return (bucket, Region) of an S3 domain name, or None for any other domain name."""
    match = _BUCKET.fullmatch(domain)
    return (match["bucket"], match["region"] or "us-east-1") if match else None


class OriginClient:
    """Send requests to origins, with the timeouts of each origin."""

    def __init__(
        self,
        endpoint: Endpoint,
        pool: ConnectionPool,
        api: tuple[str, int] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Set up the client.

        Args:
            endpoint: The emulated AWS.
            pool: Connections to servers.
            api: The (host, port) that serves REST APIs; None for the emulated AWS.
            resolver: Resolves the domain names of other origins, which the API's server serves.
        """
        self._resolver = resolver
        self._endpoint = endpoint
        self._api = api
        self._pool = pool
        self._policies: dict[str, tuple[float, BucketPolicy]] = {}

    async def send(self, origin: Origin, request: Request, distribution_arn: str) -> OriginResponse:
        """Send a request to an origin and return its response.

        Raises:
            OriginError: The origin is unreachable (502) or doesn't respond in time (504).
        """
        try:
            if origin.kind == "s3":
                return await self._send_s3(origin, request, distribution_arn)
            return await self._send_custom(origin, request)
        except TimeoutError:
            # HTTP 504 status code: "The origin didn't respond before the request expired."
            raise OriginError(
                f"The origin {origin.id} didn't respond in time.", status=504
            ) from None
        except ConnectionError as error:
            raise OriginError(f"The origin {origin.id} is unreachable: {error}.") from error

    async def _send_s3(
        self, origin: Origin, request: Request, distribution_arn: str
    ) -> OriginResponse:
        location = bucket_of(origin.domain)
        if location is None:
            raise OriginError(
                f"The domain name of the origin {origin.id} isn't an S3 bucket.",
                code="NonS3OriginDnsError",
            )
        bucket, region = location
        key = unquote(origin.path + request.uri).removeprefix("/")
        if h.first(request.headers, "host") != origin.domain:
            # CloudFront signs the Host header, and S3 looks up the bucket by it: S3 rejects the
            # viewer's Host, and the original origin's after a function changed the origin.
            return _denied(
                "SignatureDoesNotMatch",
                f"The Host header isn't {origin.domain}, the domain name of the origin "
                f"{origin.id}: don't forward the viewer's Host header to an S3 origin.",
            )
        signed = origin.signing_behavior in {"always", "no-override"}
        principal = Principal(distribution_arn if signed else None, origin.access_identity)
        policy = await self._bucket_policy(bucket, region, float(origin.read_timeout))
        if isinstance(policy, int):
            return OriginResponse(policy, "", {}, b"")
        action = _ACTIONS.get(request.method, "s3:PutObject")
        resource = f"arn:aws:s3:::{bucket}"
        preflight = request.method == "OPTIONS"
        anonymous = principal == Principal() and not preflight
        if not (anonymous or preflight or policy.allows(action, f"{resource}/{key}", principal)):
            return _denied("AccessDenied", _not_allowed(origin, bucket, action, distribution_arn))
        # S3 itself applies policy, ACLs and Block Public Access to a request without a signature.
        path = f"/{bucket}/{quote(key)}"
        response = await self._call_s3(origin, request, path, region, anonymous=anonymous)
        if response.status == 404 and not policy.allows("s3:ListBucket", resource, principal):
            # S3 API reference, GetObject: "If you don't have the s3:ListBucket permission, Amazon
            # S3 returns an HTTP status code 403 (access denied) error."
            response.close()
            return _denied(
                "AccessDenied",
                f"The bucket {bucket} has no object {key}. S3 returns 403 instead of 404, because "
                "the bucket policy doesn't allow CloudFront s3:ListBucket.",
            )
        response.headers.setdefault("server", [("Server", "AmazonS3")])
        refusal = None
        if anonymous and response.status == 403:
            refusal = _not_public(origin, bucket, action)
        return OriginResponse(
            response.status,
            response.reason,
            response.headers,
            None,
            response,
            float(origin.read_timeout),
            refusal,
        )

    async def _call_s3(
        self,
        origin: Origin,
        request: Request,
        path: str,
        region: str,
        *,
        anonymous: bool = False,
    ) -> HttpResponse:
        endpoint = self._endpoint
        forwarded = {
            name: value
            for name in ("range", "content-type", "if-match", "if-none-match", "if-modified-since",
                         "if-unmodified-since", "if-range", "origin",
                         "access-control-request-method", "access-control-request-headers")
            if (value := h.joined(request.headers, name)) is not None
        }  # fmt: skip
        added = {} if anonymous else sign(
            endpoint.credentials, request.method, path, "", {"host": endpoint.netloc},
            request.body, region=region, service="s3", now=datetime.now(UTC),
        )  # fmt: skip
        custom = {name.lower(): value for name, value in origin.custom_headers}
        headers = {"host": endpoint.netloc, **forwarded, **custom, **added}
        if request.body or request.method in {"PUT", "POST", "PATCH"}:
            headers["content-length"] = str(len(request.body))
        timeout = float(origin.read_timeout)
        return await self._try(
            origin, endpoint.address, request, path, list(headers.items()), timeout
        )

    async def _try(
        self,
        origin: Origin,
        address: tuple[str, int],
        request: Request,
        target: str,
        headers: list[tuple[str, str]],
        timeout_s: float,
    ) -> HttpResponse:
        # "CloudFront tries up to 3 times, as determined by the value of the origin connection
        # attempts setting"; it retries only GET and HEAD requests.
        attempts = origin.attempts if request.method in {"GET", "HEAD"} else 1
        for attempt in range(1, attempts + 1):
            try:
                return await self._pool.send(
                    address,
                    request.method,
                    target,
                    headers,
                    request.body,
                    timeout_s=timeout_s,
                    connect_s=origin.connect_timeout,
                )
            except ConnectError:
                raise
            except ConnectionError:
                if attempt == attempts:
                    raise
                await asyncio.sleep(0.05 * attempt)
        raise AssertionError("an origin has at least one attempt")

    async def _send_custom(self, origin: Origin, request: Request) -> OriginResponse:
        path = origin.path + request.uri
        target = f"{path}?{request.query}" if request.query else path
        # Escape non-ASCII characters as UTF-8, and leave everything else as the viewer sent it.
        target = quote(target, safe=_ASCII)
        address: tuple[str, int]
        host = h.first(request.headers, "host")
        api = _API.fullmatch(origin.domain)
        if api is not None and self._api is not None:
            address = self._api
        elif api is not None:
            address, host = self._endpoint.address, self._endpoint.netloc
            target = f"/_aws/execute-api/{api['api']}{target}"
        elif origin.domain in _LOOPBACK:
            address = (origin.domain, origin.port)
        elif self._resolver is not None and self._api is not None:
            # The API's server stands for port 443 of each Region.
            port = self._api[1] if origin.port == _HTTPS_PORT else origin.port
            address = (await self._resolver.lookup(origin.domain), port)
        else:
            # The emulator sends no traffic to remote hosts.
            raise OriginError(
                f"The origin {origin.id} is neither an emulated service nor on the loopback.",
                code="NonS3OriginDnsError",
            )
        headers = [
            (name, value)
            for name, value in h.flatten(request.headers)
            if name.lower() not in {"host", "content-length"}
        ]
        headers += [("Host", host), *origin.custom_headers]
        if request.body or request.method in {"PUT", "POST", "PATCH"}:
            headers.append(("Content-Length", str(len(request.body))))
        timeout = float(origin.read_timeout)
        response = await self._try(origin, address, request, target, headers, timeout)
        return OriginResponse(
            response.status, response.reason, response.headers, None, response, timeout
        )

    async def _bucket_policy(
        self, bucket: str, region: str, timeout_s: float
    ) -> BucketPolicy | int:
        """Return the policy of a bucket; the status of S3 if it fails, as it does for an object.

        Raises:
            TimeoutError: S3 didn't answer within `timeout_s` seconds.
        """
        now = time.monotonic()
        cached = self._policies.get(bucket)
        if cached is not None and now < cached[0]:
            return cached[1]
        path, query = f"/{bucket}", "policy="
        endpoint = self._endpoint
        headers = {"host": endpoint.netloc}
        headers |= sign(
            endpoint.credentials, "GET", path, query, headers, b"",
            region=region, service="s3", now=datetime.now(UTC),
        )  # fmt: skip
        response = await self._pool.send(
            endpoint.address, "GET", f"{path}?{query}", list(headers.items()), timeout_s=timeout_s
        )  # fmt: skip
        body = await response.read(timeout_s)
        if response.status >= _SERVER_ERROR:
            return int(response.status)
        policy = parse_bucket_policy(body.decode() if response.status == 200 else None)
        self._policies[bucket] = (now + _POLICY_TTL_S, policy)
        return policy


def _not_allowed(origin: Origin, bucket: str, action: str, distribution_arn: str) -> str:
    """Return why the bucket policy denies a request with an identity, and how to allow it."""
    if origin.access_identity is not None:
        caller, condition = f"the origin access identity {origin.access_identity.id}", ""
    else:
        caller, condition = "cloudfront.amazonaws.com", f" if aws:SourceArn is {distribution_arn}"
    return (
        f"The policy of the bucket {bucket} doesn't allow {caller} {action}. "
        f"Add a statement that allows it{condition}."
    )


def _not_public(origin: Origin, bucket: str, action: str) -> str:
    """Return why S3 denies an anonymous request, and how to allow it."""
    return (
        f"The origin {origin.id} has no origin access control, so CloudFront reads the bucket "
        f"{bucket} anonymously, and neither the bucket policy nor an ACL allows everyone {action}, "
        "or Block Public Access is on. Give the origin an origin access control, and allow "
        "cloudfront.amazonaws.com in the bucket policy."
    )


def _denied(code: str, refusal: str) -> OriginResponse:
    """Return the response of S3 to a denied request. S3 API reference, "Error responses"."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        "<Message>Access Denied</Message></Error>"
    ).encode()
    headers: h.HeaderMap = {}
    for name, value in (
        ("Content-Type", "application/xml"),
        ("Content-Length", str(len(body))),
        ("Server", "AmazonS3"),
        ("Date", formatdate(usegmt=True)),
    ):
        h.put(headers, name, value)
    return OriginResponse(403, "Forbidden", headers, body, refusal=refusal)
