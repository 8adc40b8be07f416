"""Adapters: each turns one protocol's logs into a book, and decisions into calls."""
