"""Tests of the emulator package."""

import pytest

# Here, because test files of several folders import it.
pytest.register_assert_rewrite("aws_emulator.tests.refusals.refusing")
