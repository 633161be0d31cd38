"""The AWS emulator: MiniStack, pinned, and one small file for each thing that it lacks."""
