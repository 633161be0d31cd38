"""Query the local data lake with SQL: `make sql`."""
