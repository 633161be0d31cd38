"""The proof: the real handlers under histories of faults that Hypothesis generates."""
