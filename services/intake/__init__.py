"""Takes reports in, on every channel: receipts, refusals, and recognising what was told before."""
