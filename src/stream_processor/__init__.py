"""Two doors, one house: Kinesis events and DynamoDB changes, each in the lake exactly once."""
