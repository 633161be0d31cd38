"""Run the whole system on this machine: `make run`, `make up` and `make down`."""
