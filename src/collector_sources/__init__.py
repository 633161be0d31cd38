"""Change the collector's sources without a deployment, and suppress persons.

`handler` applies a request of staff or of an operator, and publishes the signed snapshot that
`edge_ingest` reads.
"""
