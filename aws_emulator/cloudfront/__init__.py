"""The local edge: serves the deployed distribution, and refuses what CloudFront refuses."""
