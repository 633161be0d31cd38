"""Keep a package per published version, and publish unchanged code once.

Gap: GetFunction with a version number returns the package of $LATEST. Publishing unchanged code
creates another version. UpdateFunctionCode with Publish creates a version without a number in its
ARN. PublishVersion ignores CodeSha256. An AWS::Lambda::Version of unchanged code is created.
Seen in: ministack 1.5.33, lambda_svc.py, _get_function, _publish_version, _update_code.
Delete when: the package of a version can be downloaded, and PublishVersion compares configuration
and code with the latest version.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]

#: Fields that differ between two versions with the same configuration and code.
_VERSION_FIELDS: Final = frozenset(
    {
        "FunctionArn",
        "LastModified",
        "LastUpdateStatus",
        "LastUpdateStatusReason",
        "LastUpdateStatusReasonCode",
        "RevisionId",
        "State",
        "StateReason",
        "StateReasonCode",
        "Version",
    }
)


#: The key of a version's record: the function's configuration when the version was published. The
#: version itself may have another description.
_PUBLISHED: Final = "published_configuration"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Wrap the three operations and the download behind Code.Location."""
    service = Symbols(
        "ministack.services.lambda_svc",
        "_functions",
        "_get_function",
        "_publish_version",
        "_update_code",
        "serve_function_code",
    )
    responses = Symbols("ministack.core.responses", "error_response_json", "json_response")
    service.wrap("_get_function", _own_location)
    service.wrap("serve_function_code", lambda original: _own_package(service, original))
    service.wrap("_publish_version", lambda original: _once(service, responses, original))
    service.wrap("_update_code", lambda original: _then_publish(service, original))
    provisioners = Symbols(
        "ministack.services.cloudformation.provisioners",
        "_RESOURCE_HANDLERS",
        "_lambda_version_function",
    )
    handler = provisioners["_RESOURCE_HANDLERS"]["AWS::Lambda::Version"]
    handler["create"] = _new_only(provisioners, handler["create"])


def _own_location(original: Callable[..., Response]) -> Callable[..., Response]:
    def get_function(name: str, qualifier: str | None = None) -> Response:
        status, headers, body = original(name, qualifier)
        if status != 200:
            return status, headers, body
        document = json.loads(body)
        version = document["Configuration"]["Version"]
        if version != "$LATEST" and "Location" in document["Code"]:
            head, _, query = document["Code"]["Location"].partition("?")
            document["Code"]["Location"] = f"{head}:{version}?{query}"
        return status, headers, json.dumps(document).encode()

    return get_function


def _own_package(service: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    def serve(func_name: str, account_id: str | None = None, region: str | None = None) -> Any:
        name, _, version = func_name.partition(":")
        if not version:
            return original(name, account_id=account_id, region=region)
        function = service["_functions"].get_scoped(account_id, region, name) or {}
        record = function.get("versions", {}).get(version)
        if record is None:
            return 404, {"Content-Type": "text/plain"}, b"Version not found"
        return 200, {"Content-Type": "application/zip"}, record["code_zip"]

    return serve


def _once(service: Symbols, responses: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    def publish_version(name: str, data: dict[str, Any]) -> Any:
        function = service["_functions"].get(name)
        if function is None:
            return original(name, data)
        config, expected = function["config"], data.get("CodeSha256")
        if expected and expected != config["CodeSha256"]:
            return responses["error_response_json"](
                "InvalidParameterValueException",
                f"CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST "
                f"({config['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST.",
                400,
            )
        # "Lambda doesn't publish a version if the function's configuration and code haven't changed
        # since the last version." (API reference, PublishVersion)
        latest = function["versions"].get(max(function["versions"], key=int, default=""))
        if latest and latest.get(_PUBLISHED) == _content(config):
            return responses["json_response"](latest["config"], 201)
        response = original(name, data)
        newest = function["versions"][max(function["versions"], key=int)]
        newest.setdefault(_PUBLISHED, _content(config))
        return response

    return publish_version


def _new_only(provisioners: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a version that exists, as CloudFormation does if PublishVersion returns one."""

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        function, _name = provisioners["_lambda_version_function"](props)
        before = set(function["versions"]) if function else set()
        arn, attributes = original(logical_id, props, stack_name)
        if (version := attributes["Version"]) in before:
            raise ValueError(
                f"A version for this Lambda function exists ( {version} ). Modify the function to "
                "create a new version."
            )
        return arn, attributes

    return create


def _content(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _VERSION_FIELDS}


def _then_publish(service: Symbols, original: Callable[..., Any]) -> Callable[..., Any]:
    def update_code(name: str, data: dict[str, Any]) -> Any:
        response = original(name, {**data, "Publish": False})
        if response[0] >= 400 or not data.get("Publish"):
            return response
        status, headers, body = service["_publish_version"](name, {})
        return (200 if status == 201 else status), headers, body

    return update_code
