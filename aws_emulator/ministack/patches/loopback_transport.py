"""A call over the loopback address counts as one over TLS, as every call to AWS is.

Gap: MiniStack evaluates aws:SecureTransport by its own plain listener, so a bucket policy that
denies what is not encrypted, as AWS recommends, denies everything.
Seen in: ministack 1.5.33, app.py (pin_request_origin) and core/iam_evaluator.py.
Delete when: the transport of a policy's evaluation can be set.
"""

import ipaddress
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Pin the transport of calls that never leave the machine."""

    def trusting(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
        return lambda source, secure: pin(
            source, secure or ipaddress.ip_address(source).is_loopback
        )

    Part("ministack.app", "pin_request_origin").wrap("pin_request_origin", trusting)
