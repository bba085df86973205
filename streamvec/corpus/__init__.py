"""Floor 1: anything readable as a stream of documents, and what is counted and stored of it."""
