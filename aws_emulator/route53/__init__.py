"""A DNS server that answers from the deployed hosted zones, as Amazon Route 53 does."""
