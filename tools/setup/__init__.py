"""Set up a checkout."""
