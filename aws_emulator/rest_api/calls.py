"""The adapter to the services: an integration's role, a signature, the bytes of the template."""

import time
from functools import cache
from typing import Any
from urllib.parse import quote

import botocore.session
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.mapping import Call, Reply
from aws_emulator.rest_api.model import Service

#: "Integration timeout: 50 milliseconds - 29 seconds for all integration types" (quotas).
TIMEOUT_S = 29.0
#: Seconds before the end of a role's credentials at which new ones are asked for.
_EARLY_S = 60.0
_PRINCIPAL = "apigateway.amazonaws.com"


class Calls:
    """Calls services of the emulator in the roles of the integrations."""

    def __init__(self, endpoint: str, client: httpx.AsyncClient) -> None:
        """`endpoint` is where the emulated AWS listens."""
        self._endpoint = endpoint
        self._client = client
        self._roles: dict[str, tuple[float, Credentials]] = {}

    async def __call__(self, service: Service, call: Call) -> Reply:
        """Call a service. Raises RefusedError."""
        headers = dict(call.headers)
        if service.action:
            # An action is the operation of the service's JSON protocol.
            target, version = _protocol(service.name)
            headers["X-Amz-Target"] = f"{target}.{service.action}"
            headers["Content-Type"] = f"application/x-amz-json-{version}"
        url = self._endpoint + quote(service.path)
        signed = AWSRequest(service.http_method, url, headers=headers, data=call.body)
        SigV4Auth(await self._credentials(service.role), service.name, service.region).add_auth(
            signed
        )
        try:
            answer = await self._client.request(
                service.http_method,
                url,
                content=call.body,
                headers=dict(signed.headers.items()),
                timeout=TIMEOUT_S,
            )
        except httpx.TimeoutException as error:
            raise RefusedError("INTEGRATION_TIMEOUT") from error
        except httpx.TransportError as error:
            raise RefusedError("INTEGRATION_FAILURE", type(error).__name__) from error
        return Reply(answer.status_code, dict(answer.headers), answer.content)

    async def _credentials(self, role: str) -> Credentials:
        until, known = self._roles.get(role, (0.0, None))
        if known is not None and time.time() < until:
            return known
        try:
            answer = await self._client.post(
                f"{self._endpoint}/_local/service-role",
                params={"service": _PRINCIPAL, "role": role},
            )
        except httpx.TransportError as error:
            raise RefusedError("INTEGRATION_FAILURE", type(error).__name__) from error
        if answer.status_code != 200:
            # "API Gateway does not have permission to assume the provided role"
            raise RefusedError("API_CONFIGURATION_ERROR", "the role does not trust API Gateway")
        given = answer.json()["Credentials"]
        credentials = Credentials(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
        )
        self._roles[role] = (given["Expiration"] - _EARLY_S, credentials)
        return credentials


@cache
def _protocol(service: str) -> tuple[str, str]:
    """Return a service's prefix of X-Amz-Target and its version of JSON."""
    name = {"states": "stepfunctions"}.get(service, service)
    metadata: dict[str, Any] = botocore.session.get_session().get_service_model(name).metadata
    return metadata["targetPrefix"], metadata["jsonVersion"]
