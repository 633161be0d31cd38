"""Unit and property tests; sockets are off."""
