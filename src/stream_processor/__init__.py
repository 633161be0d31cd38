"""Kinesis events and DynamoDB changes to the S3 lake, each record in exactly one object.

Packages, from the outside in; each imports only those below it:

    handlers    Lambda entry points and the partial batch response
    repair      operator commands: redrive, reconcile, verify (also run on a schedule)
    compaction  one file per hour of events
    commit      the commit protocol of a shard, and the objects that it commits
    storage     S3, DynamoDB and Parquet
    rows        events and changes as rows and columns (pure)
    ingest      invocation events and record payloads (pure)
"""
