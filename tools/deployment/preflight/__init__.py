"""Check an AWS account before a deployment: `make preflight`."""
