"""Tests of log parsing, reading and merging."""
