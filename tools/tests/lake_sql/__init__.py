"""Tests of `make sql`."""
