"""The account workflow, its email notifications, and the import of student rosters."""
