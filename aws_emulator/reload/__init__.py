"""Let a running emulator follow the files of a SAM project."""
