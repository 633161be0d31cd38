"""Verify Amazon Cognito tokens at CloudFront's edge, in a Lambda@Edge viewer-request function.

The package uses the standard library only. `handler.lambda_handler` is the entry point.
"""

# The deployed package has some modules in an archive (docs/decisions/0005).
__path__.append(f"{__path__[0]}/modules.zip")
