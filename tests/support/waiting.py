"""Wait for something that another thread or process does; shared with the emulator's tests."""

from aws_emulator.tests.waiting import wait_until

__all__ = ["wait_until"]
