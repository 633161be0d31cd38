"""Set up a checkout: environments, browser, exported requirements."""
