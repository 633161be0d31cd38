"""Stop only the workers of the changed function's Region.

Gap: creating or updating a function stops the workers of functions with the same name in every
other Region. A caller that waits for one of them, such as a custom resource, hangs.
Seen in: ministack 1.5.33, lambda_svc.py and cloudformation/provisioners.py call invalidate_worker
without account and Region.
Delete when: every call passes both.
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Take account and Region from the request where the caller passes none."""
    service = Symbols("ministack.services.lambda_svc", "invalidate_worker")
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region")

    def scoped(invalidate: Callable[..., None]) -> Callable[..., None]:
        def invalidate_worker(
            func_name: str,
            qualifier: str | None = None,
            account: str | None = None,
            region: str | None = None,
        ) -> None:
            invalidate(
                func_name,
                qualifier=qualifier,
                account=account or responses["get_account_id"](),
                region=region or responses["get_region"](),
            )

        return invalidate_worker

    service.wrap("invalidate_worker", scoped)
