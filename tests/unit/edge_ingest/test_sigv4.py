"""Tests for `sigv4`: a comparison with botocore, and reading credentials."""

import datetime as dt
from datetime import UTC
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import sigv4

WORD = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+=", min_size=1)
REGIONS = st.sampled_from(["us-east-1", "eu-west-2", "ap-south-1"])
TARGET = "Kinesis_20131202.PutRecords"


def botocore_authorization(
    credentials: sigv4.Credentials, region: str, host: str, body: bytes, now: float
) -> str:
    """Return the Authorization header of botocore's SigV4Auth."""
    request = AWSRequest(
        "POST",
        f"https://{host}/",
        headers={"Content-Type": sigv4.CONTENT_TYPE, "X-Amz-Target": TARGET, "Host": host},
        data=body,
    )
    auth = botocore.auth.SigV4Auth(
        Credentials(credentials.access_key, credentials.secret_key, credentials.token),
        "kinesis",
        region,
    )
    moment = dt.datetime.fromtimestamp(now, UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.auth,
            "get_current_datetime",
            lambda remove_tzinfo=True: moment.replace(tzinfo=None),
        )
        auth.add_auth(request)
    header: Any = request.headers["Authorization"]
    return str(header)


@given(
    st.builds(sigv4.Credentials, WORD, WORD, st.none() | WORD),
    REGIONS,
    st.binary(max_size=300),
    st.integers(0, 4_000_000_000),
    st.sampled_from(["kinesis.us-east-1.amazonaws.com", "127.0.0.1:4566", "localhost"]),
)
def test_signature_equals_botocore(
    credentials: sigv4.Credentials, region: str, body: bytes, now: int, host: str
) -> None:
    headers = dict(
        sigv4.signed_headers(
            credentials, region=region, host=host, target=TARGET, body=body, now=now
        )
    )
    assert headers["authorization"] == botocore_authorization(credentials, region, host, body, now)
    assert headers.get("x-amz-security-token") == credentials.token


def test_credentials_are_read_from_environment_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(sigv4.CredentialsError):
        sigv4.credentials()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert sigv4.credentials() == sigv4.Credentials("a", "s", None)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "renewed")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    assert sigv4.credentials() == sigv4.Credentials("a", "renewed", "t")
