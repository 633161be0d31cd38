"""The path of one request through the system, from its logs (`make trace`)."""
