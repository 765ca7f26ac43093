"""These tests compare the deployment's files with the program's own numbers."""

import pytest


@pytest.fixture(autouse=True)
def patient() -> None:
    """In place of tests/conftest.py's, which gives the program the time that a busy machine needs."""
