"""May this visitor pass? Cognito tokens checked at CloudFront's edge, standard library only."""
