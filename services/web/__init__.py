"""The window: HTTP API, metrics and the console page."""
