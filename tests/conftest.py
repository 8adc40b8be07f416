"""What every test gets."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def logs_forgotten() -> Iterator[None]:
    """Undo what a test configured of logging: its stream is closed once the test is over."""
    yield
    structlog.reset_defaults()
