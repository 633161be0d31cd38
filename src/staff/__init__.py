"""The check of the callers of operations for staff, which several functions share."""
