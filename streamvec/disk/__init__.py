"""Floor 0: files that appear whole or not at all, and notice when a byte of them has changed."""
