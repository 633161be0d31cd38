"""Export the document of a stage's deployment completely.

Gap: MiniStack keeps only type, method and URI of the integrations in an imported OpenAPI document.
It drops templates, responses, models, validators and gateway responses, so GetExport lacks them.
Seen in: ministack 1.5.33, apigateway_v1.py, _import_operation and _get_export.
Delete when: GetExport with `extensions=apigateway` returns the imported document.

The patch `rest_api_updates` keeps the documents.
"""

import json
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.patches.rest_api_updates import (
    DEPLOYED,
    DISABLED,
    EXTENSION,
    IMPORTED,
    IN_EFFECT,
    configured,
)
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Return imported documents for exports with API Gateway extensions."""
    gateway = Symbols(
        "ministack.services.apigateway_v1",
        *("_get_export", "_rest_api_view", "_rest_apis", "_stages_v1"),
    )

    def hide(view: Any) -> Any:
        def rest_api_view(api: Any) -> Any:
            response = view(api)
            stored = (IMPORTED, DEPLOYED, IN_EFFECT)
            return response and {name: it for name, it in response.items() if name not in stored}

        return rest_api_view

    def give(exported: Any) -> Any:
        def get_export(
            api_id: str, stage: str, kind: str, headers: Any, query: dict[str, Any]
        ) -> Any:
            answer = exported(api_id, stage, kind, headers, query)
            extensions = query.get("extensions", [])
            extensions = [extensions] if isinstance(extensions, str) else extensions
            if answer[0] != 200 or kind != "oas30" or "apigateway" not in extensions:
                return answer
            api = gateway["_rest_apis"][api_id]
            deployment = gateway["_stages_v1"][api_id][stage]["deploymentId"]
            spec = api.get(DEPLOYED, {}).get(deployment)
            if not spec:
                return answer
            is_disabled = api.get(IN_EFFECT, False)
            if configured(spec) is not None or is_disabled:
                spec = {**spec, "servers": [{EXTENSION: {DISABLED: is_disabled}}]}
            status, sent, _body = answer
            return status, {**sent, "Content-Type": "application/json"}, json.dumps(spec).encode()

        return get_export

    gateway.wrap("_rest_api_view", hide)
    gateway.wrap("_get_export", give)
