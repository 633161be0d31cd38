"""Update an imported REST API in place, and disable its execute-api endpoint as API Gateway does.

Gap: A changed Body creates another API, whose new stage serves the change without a deployment.
`disableExecuteApiEndpoint` in the Body is dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _apigw_rest_api_update, and
apigateway_v1.py, _import_rest_api.
Delete when: an update of Body keeps the API's ID, and GetRestApi returns the setting of the Body.

"This setting takes effect when you update any setting on any stage, such as updating the deployment
on the stage" (Disable the default endpoint for REST APIs). The patch `rest_api_export` exports the
setting that is in effect, which `aws_emulator.rest_api` obeys.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

DISABLED: Final = "disableExecuteApiEndpoint"
EXTENSION: Final = "x-amazon-apigateway-endpoint-configuration"
#: Properties of an API that no operation returns: the imported document, the documents of its
#: deployments, and whether its endpoint is disabled in effect. They are persisted with the API.
IMPORTED: Final = "_imported"
DEPLOYED: Final = "_deployed"
IN_EFFECT: Final = "_endpoint_disabled"

#: What an import replaces; stages and deployments stay.
_DEFINITION: Final = ("_resources", "_authorizers_v1", "_models", "_gateway_responses")


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Import a changed Body into the existing API, and remember which setting is in effect."""
    gateway = Symbols(
        "ministack.services.apigateway_v1",
        *("_import_rest_api", "_create_deployment", "_deploy_to_stage", "_create_stage"),
        *("_update_stage", "_delete_rest_api", "_rest_apis", "_deployments_v1", *_DEFINITION),
    )
    provisioners = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    provisioner = provisioners["_RESOURCE_HANDLERS"]["AWS::ApiGateway::RestApi"]
    provisioner["update"] = _in_place(gateway, provisioner["create"], provisioner["update"])
    apis = gateway["_rest_apis"]

    def keep_document(imported: Any) -> Any:
        def import_rest_api(spec: dict[str, Any], base_data: Any = None) -> str:
            api_id = str(imported(spec, base_data))
            apis[api_id][IMPORTED] = spec
            if (setting := configured(spec)) is not None:
                apis[api_id][DISABLED] = setting
            return api_id

        return import_rest_api

    def keep_deployment(create: Any) -> Any:
        def create_deployment(api_id: str, data: dict[str, Any]) -> Any:
            answer = create(api_id, data)
            if api := apis.get(api_id):
                present = gateway["_deployments_v1"].get(api_id, {})
                documents = api.get(DEPLOYED, {})
                api[DEPLOYED] = {it: documents.get(it, api.get(IMPORTED)) for it in present}
            return answer

        return create_deployment

    def apply(change: Any) -> Any:
        def change_stage(api_id: str, *arguments: Any, **options: Any) -> Any:
            answer = change(api_id, *arguments, **options)
            if api := apis.get(api_id):
                api[IN_EFFECT] = _is_true(api.get(DISABLED, False))
            return answer

        return change_stage

    gateway.wrap("_import_rest_api", keep_document)
    gateway.wrap("_create_deployment", keep_deployment)
    for name in ("_create_stage", "_update_stage", "_deploy_to_stage"):
        gateway.wrap(name, apply)


def _in_place(gateway: Symbols, create: Any, update: Any) -> Any:
    """Return the update of an API that imports a changed Body into the same API."""
    apis = gateway["_rest_apis"]

    def import_body(api_id: str, props: dict[str, Any], stack: str, *logical_id: str) -> None:
        """Import the Body into another API, move its definition, and delete that API."""
        imported, _ = create(*(logical_id or (api_id,)), props, stack)
        stored = ("id", "createdDate", DEPLOYED, IN_EFFECT)
        unchanged = {name: apis[api_id][name] for name in stored if name in apis[api_id]}
        apis[api_id] = {**apis[imported], **unchanged}
        for name in _DEFINITION:
            gateway[name][api_id] = gateway[name][imported]
        gateway["_delete_rest_api"](imported)

    def updated(api_id: str, old: dict[str, Any], new: dict[str, Any], *rest: str) -> Any:
        if old.get("Body") != new.get("Body") and isinstance(new.get("Body"), dict):
            import_body(api_id, new, *rest)
            old = {**old, "Body": new["Body"]}
        return update(api_id, old, new, *rest)

    return updated


def configured(spec: dict[str, Any]) -> bool | None:
    """Return the setting of a document; None if it has none.

    "This object should be present in top-level vendor extensions for Swagger 2.0. For OpenAPI 3.0,
    it should be present under the vendor extensions of the Server object."
    """
    holders = [spec] if "swagger" in spec else spec.get("servers", [])
    values = [it[EXTENSION][DISABLED] for it in holders if DISABLED in it.get(EXTENSION, {})]
    return _is_true(values[0]) if values else None


def _is_true(value: object) -> bool:
    """Return the value of a setting; the console and UpdateRestApi send text."""
    return str(value).lower() == "true"
