"""Verify Amazon Cognito tokens at CloudFront's edge, in a Lambda@Edge viewer-request function.

The package uses the standard library only. `handler.lambda_handler` is the entry point.
"""
