"""The stages of a request: cache behavior, cache, origin request, viewer response."""
