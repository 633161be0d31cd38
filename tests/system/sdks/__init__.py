"""Analytics SDKs as their makers publish them, and a proxy that remembers what they were told."""
