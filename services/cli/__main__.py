"""Lets `python -m services.cli` be the command `hujiao`."""

from services.cli.main import main

main()
