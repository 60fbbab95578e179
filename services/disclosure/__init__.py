"""结果公开: what the public is told, scrubbed and approved by a second person."""
