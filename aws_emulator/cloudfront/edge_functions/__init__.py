"""Lambda@Edge: build the events, invoke the functions, validate the results."""
