"""Invocation events and record payloads to typed events. Pure: no AWS, no telemetry."""
