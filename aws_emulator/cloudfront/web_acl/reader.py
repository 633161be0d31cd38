"""Read a web ACL from the emulated AWS."""

import json
from datetime import UTC, datetime
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from aws_emulator.cloudfront.settings import Endpoint
from aws_emulator.cloudfront.transport.sigv4 import sign
from aws_emulator.cloudfront.web_acl.acl import WebAcl
from aws_emulator.errors import CommandError, UnavailableError

_TIMEOUT_S: Final = 20.0


def read_web_acl(endpoint: Endpoint, arn: str) -> WebAcl:
    """Return a web ACL.

    Raises:
        CommandError: AWS WAF refused the call, or the emulator doesn't support a rule.
        UnavailableError: The control plane fails or isn't reachable.
    """
    document = read_document(endpoint, arn)
    return WebAcl(arn, json.loads(document)["WebACL"])


def read_document(endpoint: Endpoint, arn: str) -> str:
    """Return the response of GetWebACL as text.

    Not with boto3: the emulated AWS returns the text of a byte match statement as in the template,
    and boto3 expects it in base64.

    Raises:
        CommandError: AWS WAF refused the call.
        UnavailableError: The control plane fails or isn't reachable.
    """
    _, _, name, identifier = arn.split("/")
    body = json.dumps({"Name": name, "Id": identifier, "Scope": "CLOUDFRONT"}).encode()
    headers = {"host": endpoint.netloc, "x-amz-target": "AWSWAF_20190729.GetWebACL"}
    headers |= sign(
        endpoint.credentials,
        "POST",
        "/",
        "",
        headers,
        body,
        region="us-east-1",
        service="wafv2",
        now=datetime.now(UTC),
    )
    request = Request(f"{endpoint.url}/", body, headers, method="POST")
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:
            return str(response.read().decode())
    except HTTPError as error:
        refusal = CommandError if error.code < 500 else UnavailableError
        raise refusal(f"Can't read the web ACL {arn}: {error.read().decode()}") from error
    except OSError as error:
        raise UnavailableError(f"Can't read the web ACL {arn}: {error}") from error
