"""The adapter to the control plane: which APIs are deployed, and how."""

import json
import time
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.pipeline import Stage
from aws_emulator.rest_api.throttle import Limit, Throttle

#: Seconds for which a deployment is believed before it is looked for again.
_TTL_S = 2.0


class Reader:
    """Reads stages, each again only after another deployment."""

    def __init__(self, endpoint: str, account: str) -> None:
        """`endpoint` is where the emulated AWS listens."""
        self._endpoint = endpoint
        self._account = account
        self._known: dict[tuple[str, str, str], tuple[float, str, Stage]] = {}

    def apis(self, region: str) -> list[str]:
        """List the ids of the region's REST APIs. Raises DefinitionError."""
        try:
            pages = self._client(region).get_paginator("get_rest_apis").paginate()
            return [str(api["id"]) for page in pages for api in page["items"]]
        except (ClientError, BotoCoreError) as error:
            raise DefinitionError(f"The APIs of {region} cannot be read: {error}.") from error

    def stage(self, region: str, api: str, name: str) -> Stage | None:
        """Return a stage, None where there is none. Raises DefinitionError."""
        key = (region, api, name)
        until, deployed, known = self._known.get(key, (0.0, "", None))
        if known is not None and time.monotonic() < until:
            return known
        client = self._client(region)
        try:
            described = client.get_stage(restApiId=api, stageName=name)
        except client.exceptions.NotFoundException:
            return None
        except (ClientError, BotoCoreError) as error:
            if known is not None:
                # The control plane of a region can fail while its APIs go on.
                return known
            raise DefinitionError(f"The stage {name} cannot be read: {error}.") from error
        if known is None or described["deploymentId"] != deployed:
            known = self._read(client, api, described)
        until = time.monotonic() + _TTL_S
        self._known[key] = (until, str(described["deploymentId"]), known)
        return known

    def _read(self, client: Any, api: str, described: dict[str, Any]) -> Stage:
        name = str(described["stageName"])
        exported = client.get_export(
            restApiId=api,
            stageName=name,
            exportType="oas30",
            parameters={"extensions": "apigateway"},
            accepts="application/json",
        )
        document = json.loads(exported["body"].read())
        settings = described.get("methodSettings", {})
        limits = {
            method: Limit(float(it["throttlingRateLimit"]), int(it["throttlingBurstLimit"]))
            for method, it in settings.items()
            if it.get("throttlingRateLimit", -1) >= 0
        }
        throttle = Throttle(limits)
        return Stage(api, name, self._account, definition.parse(document), throttle)

    @cache  # noqa: B019 - one reader lives as long as the program
    def _client(self, region: str) -> Any:
        return boto3.client(
            "apigateway",
            region_name=region,
            endpoint_url=self._endpoint,
            config=Config(retries={"total_max_attempts": 2}),
        )
