"""Create the log groups of the Lambda@Edge functions in every Region, with a retention.

Lambda@Edge writes logs in the Region that ran the function, and creates the log group there with
the first line. Such a group never expires, and CloudFormation can't own it: it doesn't exist at the
deployment, and a stack creates resources in one Region. CloudFormation invokes the handler at each
deployment, and a schedule once a day, because the account can enable further Regions.
"""
