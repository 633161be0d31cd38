"""A change of a function stops its own workers only.

Gap: creating or updating a function stops the workers of functions of the same name in every other
region, and whoever waits for one of them (a custom resource) hangs.
Seen in: ministack 1.5.33, lambda_svc.py and cloudformation/provisioners.py call invalidate_worker
without account and region.
Delete when: every call names both.
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Take account and region from the request where the caller names none."""
    service = Part("ministack.services.lambda_svc", "invalidate_worker")
    responses = Part("ministack.core.responses", "get_account_id", "get_region")

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
