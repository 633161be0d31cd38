"""The Apache Iceberg table over the lake's event objects."""
