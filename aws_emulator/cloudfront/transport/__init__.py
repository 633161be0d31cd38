"""HTTP/1.1 towards viewers and origins, and request signing."""
