"""What every service stands on: log, ledger, vault, clock, engine, settings."""
