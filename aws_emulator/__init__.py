"""Run a SAM application on a laptop: CloudFront, event source mappings, REST APIs, MiniStack."""
