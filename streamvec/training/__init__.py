"""Floor 3: RUNs, the loop, checkpoints, metrics and plans."""
