"""Request in, events on the nearest stream, answer: the collector at CloudFront's edge."""
