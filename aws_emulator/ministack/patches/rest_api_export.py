"""Export an imported REST API completely.

Gap: MiniStack keeps only type, method and URI of the integrations in an imported OpenAPI document.
It drops templates, responses, models, validators and gateway responses, so GetExport lacks them.
Seen in: ministack 1.5.33, apigateway_v1.py, _import_operation and _get_export.
Delete when: GetExport with `extensions=apigateway` returns the imported document.
"""

import json
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: The document is stored with the API's properties, so it is persisted and deleted with them.
_KEPT: Final = "_imported"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Store imported documents, and return them for exports with API Gateway extensions."""
    gateway = Symbols(
        "ministack.services.apigateway_v1",
        "_import_rest_api",
        "_get_export",
        "_rest_api_view",
        "_rest_apis",
        "_stages_v1",
    )

    def keep(imported: Any) -> Any:
        def import_rest_api(spec: dict[str, Any], base_data: Any = None) -> str:
            api_id = str(imported(spec, base_data))
            gateway["_rest_apis"][api_id][_KEPT] = spec
            return api_id

        return import_rest_api

    def hide(view: Any) -> Any:
        def rest_api_view(api: Any) -> Any:
            response = view(api)
            return response and {name: it for name, it in response.items() if name != _KEPT}

        return rest_api_view

    def give(exported: Any) -> Any:
        def get_export(
            api_id: str, stage: str, kind: str, headers: Any, query: dict[str, Any]
        ) -> Any:
            answer = exported(api_id, stage, kind, headers, query)
            extensions = query.get("extensions", [])
            extensions = [extensions] if isinstance(extensions, str) else extensions
            spec = gateway["_rest_apis"].get(api_id, {}).get(_KEPT)
            if answer[0] != 200 or kind != "oas30" or "apigateway" not in extensions or not spec:
                return answer
            status, sent, _body = answer
            return status, {**sent, "Content-Type": "application/json"}, json.dumps(spec).encode()

        return get_export

    gateway.wrap("_import_rest_api", keep)
    gateway.wrap("_rest_api_view", hide)
    gateway.wrap("_get_export", give)
