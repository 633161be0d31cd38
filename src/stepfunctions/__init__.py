"""How they join: the account workflow, its notifications, and the import of rosters."""
