"""One way to run every property test: reproducibly, and without a clock that a busy machine could trip."""

from hypothesis import settings

settings.register_profile("sluice", deadline=None, derandomize=True)
settings.load_profile("sluice")
