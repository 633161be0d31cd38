"""Lambda entry points of EventsFunction and ChangesFunction."""
