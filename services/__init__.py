"""Who acts: one folder per service."""
