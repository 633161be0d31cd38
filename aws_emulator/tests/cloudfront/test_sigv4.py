"""Compare signatures with botocore's."""

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from aws_emulator.cloudfront.transport.sigv4 import Credentials, sign


@pytest.mark.parametrize("token", [None, "a-token"])
@pytest.mark.parametrize(
    ("service", "method", "path", "query", "payload"),
    [
        ("lambda", "POST", "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations", "", b'{"a":1}'),
        ("s3", "GET", "/bucket/name%20with%20space.txt", "", b""),
        ("s3", "GET", "/bucket", "policy=", b""),
        ("cloudfront", "GET", "/2020-05-31/distribution/E1/config", "", b""),
    ],
)
def test_signature_equals_botocores(
    token: str | None, service: str, method: str, path: str, query: str, payload: bytes
) -> None:
    headers = {"host": "127.0.0.1:4566", "content-type": "application/json"}
    ours = sign(
        Credentials("AKID", "SECRET", token),
        method,
        path,
        query,
        headers,
        payload,
        region="us-east-1",
        service=service,
        now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    url = f"http://127.0.0.1:4566{path}{'?' if query else ''}{query}"
    request = AWSRequest(method, url, headers, payload)
    request.headers["x-amz-content-sha256"] = ours["x-amz-content-sha256"]
    request.headers["x-amz-date"] = ours["x-amz-date"]
    if token:
        request.headers["x-amz-security-token"] = token
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    signer = kind(BotoCredentials("AKID", "SECRET", token), service, "us-east-1")
    request.context["timestamp"] = ours["x-amz-date"]
    canonical = signer.canonical_request(request)
    text = signer.string_to_sign(request, canonical)
    assert ours["authorization"].endswith(f"Signature={signer.signature(text, request)}")
