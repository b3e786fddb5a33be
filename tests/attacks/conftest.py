"""Authors for attacks that take more than one call."""

from tests.sandbox.conftest import author, writer

__all__ = ["author", "writer"]
