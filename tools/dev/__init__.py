"""The commands run, up and down."""
