"""Event source mappings for Kinesis and DynamoDB Streams, by AWS's rules, over public APIs only."""
