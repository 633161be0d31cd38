"""Tests of built functions and their invocation."""
