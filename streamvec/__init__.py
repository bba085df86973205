"""Streaming word vectors."""
