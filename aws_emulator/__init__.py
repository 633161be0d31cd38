"""Run AWS SAM applications without an AWS account. README.md explains command and library."""
