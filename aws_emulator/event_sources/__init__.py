"""Event source mappings for Kinesis and DynamoDB Streams, over AWS's public APIs. See README.md."""
