"""The proof: the real handlers under every history of faults that Hypothesis thinks of."""
