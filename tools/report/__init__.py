"""What the lake holds of a replay: SQL over its Parquet objects, checked by a second count."""
