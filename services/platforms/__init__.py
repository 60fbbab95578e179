"""六大工作平台: what a platform does with a call, and what its departments do with theirs."""
