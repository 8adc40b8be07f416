"""Revisions; each is run by its file's name, none is imported."""
