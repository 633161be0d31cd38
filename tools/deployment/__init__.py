"""Deploy the stacks and the portal's pages to AWS: `make deploy`."""
