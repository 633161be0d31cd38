"""Events and changes as rows and columns of the lake. Pure: no AWS, no telemetry."""
