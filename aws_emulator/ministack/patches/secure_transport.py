"""Treat calls over the loopback address as calls over TLS.

Gap: MiniStack evaluates aws:SecureTransport for its plain HTTP listener, so a bucket policy that
denies unencrypted access, as AWS recommends, denies every call.
Seen in: ministack 1.5.33, app.py (pin_request_origin) and core/iam_evaluator.py.
Delete when: the transport in a policy's evaluation can be configured.
"""

import ipaddress
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Report calls that never leave the machine as secure."""

    def secured(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
        return lambda source, secure: pin(
            source, secure or ipaddress.ip_address(source).is_loopback
        )

    Symbols("ministack.app", "pin_request_origin").wrap("pin_request_origin", secured)
