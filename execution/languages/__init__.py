"""One folder per language: how a version is shown to its sandbox, and what serves it there."""
