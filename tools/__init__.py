"""The whole system on one laptop: the emulator, and what stands beside it."""
