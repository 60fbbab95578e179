"""What we can answer: one file per view, each built from the log alone."""
