"""Tests of `make trace`."""
