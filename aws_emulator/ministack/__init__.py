"""MiniStack, pinned to one version, with patches for the features that it lacks."""
