"""The same work on several machines, by Ray: nodes and workers, and what they do for each kind of training."""
