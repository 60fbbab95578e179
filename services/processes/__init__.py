"""The processes of a township that runs apart, each with one service: `process` runs it, the others hold it."""
