"""How long an update of a stack's parameters waits, with CloudFormation's answers in memory."""

from datetime import UTC, datetime
from typing import Any, Final
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import WaiterError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from tools.deployment import collector

STACK: Final = "meridian-prod-us-east-1"


def wait(statuses: list[str]) -> list[float]:
    """Wait for an update that has these statuses; return the pauses between the requests."""
    client: Any = boto3.client(
        "cloudformation", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    created = datetime(2026, 11, 1, tzinfo=UTC)
    pauses: list[float] = []
    with Stubber(client) as stubber, patch("botocore.waiter.time.sleep", pauses.append):
        for status in statuses:
            stack = {"StackName": STACK, "CreationTime": created, "StackStatus": status}
            stubber.add_response("describe_stacks", {"Stacks": [stack]})
        settings = {"Delay": 5, "MaxAttempts": 20}
        collector._wait(client, "stack_update_complete", settings, StackName=STACK)
        stubber.assert_no_pending_responses()
    return pauses


@given(requests=st.integers(1, 30))
def test_update_is_waited_for_with_short_pauses_then_with_long_ones(requests: int) -> None:
    pauses = wait(["UPDATE_IN_PROGRESS"] * (requests - 1) + ["UPDATE_COMPLETE"])
    short, long = pauses[:9], pauses[9:]
    assert set(short) <= {0.5}
    assert set(long) <= {5}
    # The longer wait begins with a request.
    assert len(pauses) == requests - 1 - bool(requests > 10)


@pytest.mark.parametrize("requests", [1, 12])
def test_failed_update_ends_the_wait(requests: int) -> None:
    with pytest.raises(WaiterError, match="terminal failure state"):
        wait(["UPDATE_IN_PROGRESS"] * (requests - 1) + ["UPDATE_ROLLBACK_COMPLETE"])


def test_wait_ends_after_its_attempts() -> None:
    with pytest.raises(WaiterError, match="Max attempts"):
        wait(["UPDATE_IN_PROGRESS"] * 30)
