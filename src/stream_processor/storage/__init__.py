"""Adapters for S3, DynamoDB and Parquet. SDK errors become `StorageError` here."""
