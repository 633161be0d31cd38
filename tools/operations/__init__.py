"""The operator's commands: redrive, reconcile, verify and compact."""
