"""The name that algorithmia-adk had before it became part of `Algorithmia`."""

from Algorithmia import ADK  # type: ignore[import-not-found,unused-ignore]

__all__ = ["ADK"]
