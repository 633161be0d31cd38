"""The clickstream collector: a Lambda@Edge function that puts SDK events on a Kinesis stream.

`handler` receives CloudFront's origin-request event, `collector` routes it and builds the response,
and `pipeline` runs the stages `parsing`, `authentication`, `validation`, `redaction`, `packing` and
`delivery`.
"""
