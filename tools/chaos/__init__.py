"""`make chaos`: the running system under faults, and a count of what was lost."""
