"""Benchmarks: each one command, each a ratio against a peer or a reference in the same run."""
