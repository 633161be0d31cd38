"""Report on a replay: SQL over the data lake's Parquet objects, checked against the ledger."""
