"""Unmodified analytics SDKs as event senders, and a proxy that records their requests."""
