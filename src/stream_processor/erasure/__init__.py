"""The erasure of a person from the data lake and the failures bucket."""
