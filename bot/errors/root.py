"""The root of the tree."""


class SluiceError(Exception):
    """Root of every error that Sluice raises on purpose."""
