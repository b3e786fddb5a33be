"""Homes to start installations in, gone without a trace after the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from web.up import database_files, processes


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home that nobody used yet."""
    place = tmp_path / "home"
    yield place
    if place.is_dir():
        processes.end(processes.marked(place), patience=processes.within(5))
        database_files.remove(place)
