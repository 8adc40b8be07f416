"""Faults between a keeper and its node, on purpose: a proxy, its script, and what each fault does."""
