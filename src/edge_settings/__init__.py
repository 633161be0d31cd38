"""CloudFormation custom resources that configure the edge functions and the app client.

Lambda@Edge doesn't support environment variables (CloudFront, "Restrictions on Lambda@Edge"), so a
function's settings are a `settings.json` file in its package. Custom::EdgeVersion adds that file to
the package that was built, publishes a version and returns its ARN to the distribution.
Custom::AppClientSettings owns all settings of the app client, with its callback and sign-out URLs.
"""
