"""Send origin requests to S3, API Gateway and custom origins."""
