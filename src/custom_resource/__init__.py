"""CloudFormation custom resources: one request in, exactly one response out."""
