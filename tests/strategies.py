"""Every hypothesis strategy of the project, a section per room."""
