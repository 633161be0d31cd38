"""Check a deployed system from outside: `make smoke`."""
