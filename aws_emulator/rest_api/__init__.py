"""The deployed REST API, served on the laptop: its definition, its templates, real calls behind."""
