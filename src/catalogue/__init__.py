"""The course catalogue: search and pages for everybody, changes by the staff."""
