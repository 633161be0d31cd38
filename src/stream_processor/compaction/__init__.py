"""Hourly compaction of the lake's event objects."""
