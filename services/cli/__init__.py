"""The command `hujiao`."""
