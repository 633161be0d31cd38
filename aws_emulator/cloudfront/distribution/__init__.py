"""Read the deployed distribution configuration and its policies from the CloudFront API."""
