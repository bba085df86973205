"""Programs that measure streamvec beside its peers and keep what they found; never installed."""
