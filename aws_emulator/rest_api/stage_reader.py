"""Read deployed APIs and stages from the API Gateway control plane."""

import json
import threading
import time
from concurrent.futures import Future
from functools import cache
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.access_log import AccessLogSetting
from aws_emulator.rest_api.errors import DefinitionError
from aws_emulator.rest_api.pipeline import Stage
from aws_emulator.rest_api.throttling import Limit, Throttle

#: How long the reader caches a stage before it checks for another deployment.
_TTL_S: Final = 2.0
#: How long the reader waits for the control plane if it has an older description.
_REFRESH_TIMEOUT_S: Final = 3.0


class StageReader:
    """Read stages, and cache each until one of its settings changes."""

    def __init__(self, endpoint: str, account: str) -> None:
        """`endpoint` is the URL of the emulated AWS, `account` its account ID."""
        self._endpoint = endpoint
        self._account = account
        self._cached: dict[tuple[str, str, str], tuple[float, dict[str, Any], Stage]] = {}
        #: The first readings of stages that are under way.
        self._readings: dict[tuple[str, str, str], Future[Stage | None]] = {}
        self._lock = threading.Lock()
        self._mappings: dict[tuple[str, str], tuple[float, dict[str, tuple[str, str]]]] = {}

    def apis(self, region: str) -> list[str]:
        """Return the IDs of the Region's REST APIs.

        Raises:
            DefinitionError: The call failed.
        """
        try:
            pages = self._client(region).get_paginator("get_rest_apis").paginate()
            return [str(api["id"]) for page in pages for api in page["items"]]
        except (ClientError, BotoCoreError) as error:
            raise DefinitionError(f"Can't list the REST APIs of {region}: {error}.") from error

    def stage(self, region: str, api: str, name: str) -> Stage | None:
        """Return a stage, or None if it doesn't exist.

        Raises:
            DefinitionError: The stage can't be read, or the emulator doesn't support its
                definition.
        """
        key = (region, api, name)
        until, known, cached = self._cached.get(key, (0.0, {}, None))
        if cached is None:
            return self._first(key)
        if time.monotonic() < until:
            return cached
        # Other requests don't wait for this one's look: the control plane of a Region can hang.
        self._cached[key] = (time.monotonic() + _TTL_S, known, cached)
        return self._look(key, known, cached)

    def _first(self, key: tuple[str, str, str]) -> Stage | None:
        """Read a stage once for all requests that arrive meanwhile: it takes CPU time.

        Raises:
            DefinitionError: The stage can't be read, or the emulator doesn't support its
                definition.
        """
        with self._lock:
            if key in self._cached:
                return self._cached[key][2]
            reading = self._readings.get(key)
            is_reader = reading is None
            if reading is None:
                reading = self._readings[key] = Future()
        if not is_reader:
            return reading.result()
        try:
            stage = self._look(key, {}, None)
            reading.set_result(stage)
        except BaseException as error:
            reading.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._readings[key]
        return stage

    def _look(
        self, key: tuple[str, str, str], known: dict[str, Any], cached: Stage | None
    ) -> Stage | None:
        """Return the stage as the control plane describes it now, or None if it doesn't exist.

        Raises:
            DefinitionError: The stage can't be read, or the emulator doesn't support its
                definition.
        """
        region, api, name = key
        client = self._client(region, is_refresh=cached is not None)
        try:
            description = client.get_stage(restApiId=api, stageName=name)
        except client.exceptions.NotFoundException:
            return None
        except (ClientError, BotoCoreError) as error:
            if cached is not None:
                # The data plane keeps serving while the control plane of its Region is down.
                return cached
            raise DefinitionError(f"Can't read the stage {name}: {error}.") from error
        description.pop("ResponseMetadata", None)
        try:
            stage = cached
            if stage is None or description != known:
                stage = self._read(client, api, description)
            # A key can change without a deployment.
            if any(method.api_key_required for method in stage.definition.methods.values()):
                stage.api_keys = _api_keys(client, api, name)
        except (ClientError, BotoCoreError) as error:
            if cached is not None:
                # The control plane went down after the first call.
                return cached
            raise DefinitionError(f"Can't read the stage {name}: {error}.") from error
        self._cached[key] = (time.monotonic() + _TTL_S, description, stage)
        return stage

    def mapping(self, region: str, domain: str, base_path: str) -> tuple[str, str] | None:
        """Return the API and the stage of a base path of a custom domain name, or None.

        Raises:
            DefinitionError: The mappings can't be read.
        """
        until, mappings = self._mappings.get((region, domain), (0.0, {}))
        if time.monotonic() >= until:
            if mappings:
                self._mappings[region, domain] = (time.monotonic() + _TTL_S, mappings)
            client = self._client(region, is_refresh=bool(mappings))
            try:
                pages = client.get_paginator("get_base_path_mappings").paginate(domainName=domain)
                items = [it for page in pages for it in page["items"]]
                mappings = {it["basePath"]: (it["restApiId"], it["stage"]) for it in items}
            except client.exceptions.NotFoundException:
                mappings = {}
            except (ClientError, BotoCoreError) as error:
                # The data plane keeps serving while the control plane of its Region is down.
                if not mappings:
                    raise DefinitionError(
                        f"Can't read the domain name {domain}: {error}."
                    ) from error
            self._mappings[region, domain] = (time.monotonic() + _TTL_S, mappings)
        return mappings.get(base_path)

    def _read(self, client: Any, api: str, description: dict[str, Any]) -> Stage:
        name = str(description["stageName"])
        exported = client.get_export(
            restApiId=api,
            stageName=name,
            exportType="oas30",
            parameters={"extensions": "apigateway"},
            accepts="application/json",
        )
        document = json.loads(exported["body"].read())
        settings = description.get("methodSettings", {})
        limits = {
            method: Limit(float(it["throttlingRateLimit"]), int(it["throttlingBurstLimit"]))
            for method, it in settings.items()
            if it.get("throttlingRateLimit", -1) >= 0
        }
        throttle = Throttle(limits)
        access_log = AccessLogSetting.parse(description.get("accessLogSettings") or {})
        parsed = definition.parse(document)
        region, title = str(client.meta.region_name), str(document["info"]["title"])
        stage = Stage(api, name, self._account, parsed, throttle, access_log, region, title)
        stage.is_endpoint_disabled = _is_endpoint_disabled(document)
        return stage

    @cache  # noqa: B019 - the program creates one reader
    def _client(self, region: str, *, is_refresh: bool = False) -> Any:
        config = Config(retries={"total_max_attempts": 2})
        if is_refresh:
            config = Config(retries={"total_max_attempts": 1}, read_timeout=_REFRESH_TIMEOUT_S)
        return boto3.client(
            "apigateway", region_name=region, endpoint_url=self._endpoint, config=config
        )


def _is_endpoint_disabled(document: dict[str, Any]) -> bool:
    """Return whether an exported OpenAPI 3.0 document has no execute-api endpoint."""
    extension = "x-amazon-apigateway-endpoint-configuration"
    servers = [it.get(extension, {}) for it in document.get("servers", [])]
    return any(it.get("disableExecuteApiEndpoint") is True for it in servers)


def _api_keys(client: Any, api: str, stage: str) -> frozenset[str]:
    """Return the enabled API keys of the usage plans that contain a stage.

    Raises:
        BotoCoreError, ClientError: A call failed.
    """
    plans = [
        plan["id"]
        for page in client.get_paginator("get_usage_plans").paginate()
        for plan in page["items"]
        if any((it["apiId"], it["stage"]) == (api, stage) for it in plan.get("apiStages", []))
    ]
    listed = {
        key["id"]
        for plan in plans
        for page in client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan)
        for key in page["items"]
    }
    pages = client.get_paginator("get_api_keys").paginate(includeValues=True)
    keys = [key for page in pages for key in page["items"]]
    return frozenset(str(it["value"]) for it in keys if it["id"] in listed and it["enabled"])
