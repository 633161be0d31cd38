"""Keep RefreshTokenRotation of an app client, and reset the properties that an update omits.

Gap: templates and API calls lose RefreshTokenRotation. UpdateUserPoolClient keeps the properties
that a call omits, while Cognito "sets it to its default value", so the emulator hides a lost
callback URL.
Seen in: ministack 1.5.33, cognito.py, _create_user_pool_client and _update_user_pool_client.
Delete when: DescribeUserPoolClient shows the rotation, and an update resets what it omits.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]

_ROTATION: Final = "RefreshTokenRotation"

PROPERTIES: Final = {"AWS::Cognito::UserPoolClient": {_ROTATION}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Store the rotation in the client's record, and reset the properties that an update omits."""
    service = Symbols(
        "ministack.services.cognito",
        "_create_user_pool_client",
        "_update_user_pool_client",
        "_describe_user_pool_client",
        "_resolve_pool",
    )
    provisioners = Symbols(
        "ministack.services.cloudformation.provisioners", "_COGNITO_USER_POOL_CLIENT_UPDATABLE"
    )
    # The properties that the provisioner passes to the API, with their defaults.
    defaults: dict[str, Any] = provisioners["_COGNITO_USER_POOL_CLIENT_UPDATABLE"]
    defaults[_ROTATION] = None

    def kept(original: Callable[..., Response]) -> Callable[..., Response]:
        def save(data: dict[str, Any]) -> Response:
            status, headers, body = original(data)
            if status != 200:
                return status, headers, body
            client_id = json.loads(body)["UserPoolClient"]["ClientId"]
            pool, _ = service["_resolve_pool"](data["UserPoolId"])
            pool["_clients"][client_id][_ROTATION] = data.get(_ROTATION)
            response: Response = service["_describe_user_pool_client"](
                {"UserPoolId": data["UserPoolId"], "ClientId": client_id}
            )
            return response

        return save

    def reset(original: Callable[..., Response]) -> Callable[..., Response]:
        # "If you don't provide a value for an attribute, Amazon Cognito sets it to its default
        # value." (API reference, UpdateUserPoolClient). Only the name is kept.
        unset = {name: value for name, value in defaults.items() if name != "ClientName"}
        return lambda data: original({**unset, **data})

    service.wrap("_create_user_pool_client", kept)
    service.wrap("_update_user_pool_client", lambda original: reset(kept(original)))
