"""Serve a deployed CloudFront distribution, with its Lambda@Edge functions, on the loopback."""
