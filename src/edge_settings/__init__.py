"""Publishes the edge functions with their settings: a CloudFormation custom resource.

Lambda@Edge knows no environment variables (CloudFront, "Restrictions on Lambda@Edge"), so what a
function must know is a `settings.json` inside its package. This room takes the package that was
built, adds the settings, publishes a numbered version and returns its ARN to the distribution.
"""
