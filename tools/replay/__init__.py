"""Replay an access log: send its page views to the collector as an analytics SDK does."""
