"""Real page views from an access log, sent to the collector as an analytics SDK would send them."""
