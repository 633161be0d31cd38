"""The adapter to the origins: S3 with origin access control, API Gateway, and loopback servers."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote, unquote

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.access import BucketAccess, parse_policy
from aws_emulator.cloudfront.client import Answer, ConnectError, Pool
from aws_emulator.cloudfront.errors import OriginError
from aws_emulator.cloudfront.model import Origin, Request
from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.cloudfront.sigv4 import sign

#: Seconds that a bucket's policy is believed before it is read again.
_POLICY_TTL_S = 2.0
# Request and response behaviour for Amazon S3 origins, "Origin response timeout": 30 seconds.
_S3_TIMEOUT_S = 30.0
_BUCKET = re.compile(r"(?P<bucket>.+?)\.s3(?:[.-](?P<region>[a-z]{2}-[a-z]+-\d))?\.amazonaws\.com")
_API = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")
_ASCII = "".join(map(chr, range(33, 127)))
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_ACTIONS = {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject"}
_ACTIONS["DELETE"] = "s3:DeleteObject"


@dataclass(slots=True)
class OriginAnswer:
    """What an origin answered: its body is either whole in `body`, or streams from `answer`."""

    status: int
    reason: str
    headers: h.HeaderMap
    body: bytes | None
    answer: Answer | None = None
    timeout_s: float = _S3_TIMEOUT_S

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Stream the body. Raises TimeoutError or ConnectionError when the origin stops."""
        if self.answer is None:
            if self.body:
                yield self.body
            return
        async with aclosing(self.answer.chunks(self.timeout_s)) as stream:
            async for chunk in stream:
                yield chunk

    def close(self) -> None:
        """Let go of a body that nobody wants."""
        if self.answer is not None:
            self.answer.close()


def bucket_of(domain: str) -> tuple[str, str] | None:
    """Give (bucket, region) of an S3 origin's domain name, None where it is none."""
    found = _BUCKET.fullmatch(domain)
    return (found["bucket"], found["region"] or "us-east-1") if found else None


class Origins:
    """Sends requests to origins, at most as long as each allows."""

    def __init__(self, endpoint: Endpoint, pool: Pool, api: tuple[str, int] | None = None) -> None:
        """`api` is the address of who answers for API Gateway, None for the emulated AWS."""
        self._endpoint = endpoint
        self._api = api
        self._pool = pool
        self._policies: dict[str, tuple[float, BucketAccess]] = {}

    async def send(self, origin: Origin, request: Request, distribution_arn: str) -> OriginAnswer:
        """Send a request to an origin. Raises OriginError (502: no connection, 504: no answer)."""
        try:
            if origin.kind == "s3":
                return await self._send_s3(origin, request, distribution_arn)
            return await self._send_custom(origin, request)
        except TimeoutError:
            # HTTP 504 status code: "The origin didn't respond before the request expired."
            raise OriginError(
                f"The origin {origin.id} did not answer in time.", status=504
            ) from None
        except ConnectionError as error:
            raise OriginError(f"The origin {origin.id} could not be reached: {error}.") from error

    async def _send_s3(
        self, origin: Origin, request: Request, distribution_arn: str
    ) -> OriginAnswer:
        place = bucket_of(origin.domain)
        if place is None:
            raise OriginError(
                f"The origin {origin.id} names no S3 bucket.", code="NonS3OriginDnsError"
            )
        bucket, region = place
        key = unquote(origin.path + request.uri).removeprefix("/")
        if h.first(request.headers, "host") != origin.domain:
            # S3 finds the bucket by the Host that CloudFront signed: a viewer's Host, or the one of
            # the origin before a function changed it, is refused.
            return _denied("SignatureDoesNotMatch")
        signed = origin.signing in {"always", "no-override"}
        access = await self._access(bucket, region)
        action = _ACTIONS.get(request.method, "s3:PutObject")
        resource = f"arn:aws:s3:::{bucket}"
        if request.method == "OPTIONS":
            allowed = True
        else:
            allowed = access.allows(action, f"{resource}/{key}", distribution_arn, signed=signed)
        if not allowed:
            return _denied("AccessDenied")
        answer = await self._ask_s3(origin, request, f"/{bucket}/{quote(key)}", region)
        if answer.status == 404 and not access.allows(
            "s3:ListBucket", resource, distribution_arn, signed=signed
        ):
            # S3 API reference, GetObject: "If you don't have the s3:ListBucket permission, Amazon
            # S3 returns an HTTP status code 403 (access denied) error."
            answer.close()
            return _denied("AccessDenied")
        answer.headers.setdefault("server", [("Server", "AmazonS3")])
        return OriginAnswer(answer.status, answer.reason, answer.headers, None, answer)

    async def _ask_s3(self, origin: Origin, request: Request, path: str, region: str) -> Answer:
        endpoint = self._endpoint
        kept = {
            name: value
            for name in ("range", "content-type", "if-match", "if-none-match", "if-modified-since",
                         "if-unmodified-since", "if-range", "origin",
                         "access-control-request-method", "access-control-request-headers")
            if (value := h.joined(request.headers, name)) is not None
        }  # fmt: skip
        added = sign(
            endpoint.credentials, request.method, path, "", {"host": endpoint.netloc},
            request.body, region=region, service="s3", now=datetime.now(UTC),
        )  # fmt: skip
        custom = {name.lower(): value for name, value in origin.custom_headers}
        headers = {"host": endpoint.netloc, **kept, **custom, **added}
        if request.body or request.method in {"PUT", "POST", "PATCH"}:
            headers["content-length"] = str(len(request.body))
        return await self._try(
            origin, endpoint.address, request, path, list(headers.items()), _S3_TIMEOUT_S
        )

    async def _try(
        self,
        origin: Origin,
        address: tuple[str, int],
        request: Request,
        target: str,
        headers: list[tuple[str, str]],
        timeout_s: float,
    ) -> Answer:
        # "CloudFront tries up to 3 times, as determined by the value of the origin connection
        # attempts setting"; other methods than GET and HEAD are not sent again.
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

    async def _send_custom(self, origin: Origin, request: Request) -> OriginAnswer:
        path = origin.path + request.uri
        target = f"{path}?{request.query}" if request.query else path
        # What is not ASCII goes as escaped UTF-8; everything else as it was written.
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
        else:
            # Nothing on this laptop stands for another host, and no traffic leaves it.
            raise OriginError(
                f"The origin {origin.id} is neither emulated nor on the loopback.",
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
        answer = await self._try(origin, address, request, target, headers, timeout)
        return OriginAnswer(answer.status, answer.reason, answer.headers, None, answer, timeout)

    async def _access(self, bucket: str, region: str) -> BucketAccess:
        now = time.monotonic()
        known = self._policies.get(bucket)
        if known is not None and now < known[0]:
            return known[1]
        path, query = f"/{bucket}", "policy="
        endpoint = self._endpoint
        headers = {"host": endpoint.netloc}
        headers |= sign(
            endpoint.credentials, "GET", path, query, headers, b"",
            region=region, service="s3", now=datetime.now(UTC),
        )  # fmt: skip
        answer = await self._pool.send(
            endpoint.address, "GET", f"{path}?{query}", list(headers.items()),
            timeout_s=_S3_TIMEOUT_S,
        )  # fmt: skip
        body = await answer.read(_S3_TIMEOUT_S)
        access = parse_policy(body.decode() if answer.status == 200 else None)
        self._policies[bucket] = (now + _POLICY_TTL_S, access)
        return access


def _denied(code: str) -> OriginAnswer:
    """Answer as S3 does to who may not read (S3 API reference, "Error responses")."""
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
    return OriginAnswer(403, "Forbidden", headers, body)
