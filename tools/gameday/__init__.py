"""The game day: visitors of two continents, losses drawn by a seed, and checks."""
