"""Make stored rows again by the current code."""
