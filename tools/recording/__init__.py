"""Record a command in a terminal, and draw the recording as an animated SVG for the documents."""
