"""Sign-ups in a Region without the accounts: passed on to the home, or kept until it answers."""
