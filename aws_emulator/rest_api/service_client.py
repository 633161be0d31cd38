"""Send signed integration requests to AWS services, with the credentials of the role."""

import time
from functools import cache
from typing import Any, Final
from urllib.parse import quote

import botocore.session
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.model import IntegrationRequest, Service, ServiceResponse

#: The client renews a role's credentials this long before they expire.
_RENEWAL_MARGIN_S: Final = 60.0
_PRINCIPAL: Final = "apigateway.amazonaws.com"


class ServiceClient:
    """Call the services of the emulated AWS, and cache role credentials."""

    def __init__(self, endpoint: str, client: httpx.AsyncClient) -> None:
        """`endpoint` is the URL of the emulated AWS."""
        self._endpoint = endpoint
        self._client = client
        self._roles: dict[str, tuple[float, Credentials]] = {}

    async def __call__(self, service: Service, request: IntegrationRequest) -> ServiceResponse:
        """Send a request to a service and return its response.

        Raises:
            GatewayResponseError: The service didn't respond in time (INTEGRATION_TIMEOUT), can't be
                reached (INTEGRATION_FAILURE), or API Gateway can't assume the role
                (API_CONFIGURATION_ERROR).
        """
        headers = dict(request.headers)
        if service.action:
            # An integration action is an operation of the service's JSON protocol.
            target, version = _protocol(service.name)
            headers["X-Amz-Target"] = f"{target}.{service.action}"
            headers["Content-Type"] = f"application/x-amz-json-{version}"
        url = self._endpoint + quote(service.path)
        signed_request = AWSRequest(service.http_method, url, headers=headers, data=request.body)
        SigV4Auth(await self._credentials(service.role), service.name, service.region).add_auth(
            signed_request
        )
        try:
            response = await self._client.request(
                service.http_method,
                url,
                content=request.body,
                headers=dict(signed_request.headers.items()),
                timeout=service.timeout_s,
            )
        except httpx.TimeoutException as error:
            raise GatewayResponseError("INTEGRATION_TIMEOUT") from error
        except httpx.TransportError as error:
            raise GatewayResponseError("INTEGRATION_FAILURE", type(error).__name__) from error
        return ServiceResponse(response.status_code, dict(response.headers), response.content)

    async def _credentials(self, role: str) -> Credentials:
        renewal, cached = self._roles.get(role, (0.0, None))
        if cached is not None and time.time() < renewal:
            return cached
        try:
            response = await self._client.post(
                f"{self._endpoint}/_local/service-role",
                params={"service": _PRINCIPAL, "role": role},
            )
        except httpx.TransportError as error:
            raise GatewayResponseError("INTEGRATION_FAILURE", type(error).__name__) from error
        if response.status_code != 200:
            # "API Gateway does not have permission to assume the provided role"
            raise GatewayResponseError(
                "API_CONFIGURATION_ERROR", "the role does not trust apigateway.amazonaws.com"
            )
        issued = response.json()["Credentials"]
        credentials = Credentials(
            issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]
        )
        self._roles[role] = (issued["Expiration"] - _RENEWAL_MARGIN_S, credentials)
        return credentials


@cache
def _protocol(service: str) -> tuple[str, str]:
    """Return the X-Amz-Target prefix and the JSON version of a service's protocol."""
    name = {"states": "stepfunctions"}.get(service, service)
    metadata: dict[str, Any] = botocore.session.get_session().get_service_model(name).metadata
    return metadata["targetPrefix"], metadata["jsonVersion"]
