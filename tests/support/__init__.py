"""Builders, reference models and node helpers that tests share."""
