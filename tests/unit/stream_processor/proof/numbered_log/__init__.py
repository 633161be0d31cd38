"""The design of decision 0031, a numbered log, and its histories of faults."""
