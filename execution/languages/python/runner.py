"""Serves one Python version inside its sandbox. Standard library only.

Started by the launcher as `python -I -S -B runner.py CONFIG`.
"""

# Without pathlib, which costs a sandbox some milliseconds at every start.
# ruff: noqa: PTH112, PTH118

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Give up privileges, enter the version's environment, then serve until the wire closes."""
    sys.path.insert(0, "/runner")
    from execution.languages.confinement import confine  # noqa: PLC0415 - the path is new

    config = json.loads(sys.argv[1])
    wire = confine(config)
    if os.path.isdir("/env"):
        _enter("/env")
    from execution.languages.python.serving import Connection, Server  # noqa: PLC0415

    # No import of the author's may meet ours.
    sys.path.remove("/runner")
    sys.argv = ["algorithm"]
    for name in [name for name in sys.modules if name.split(".")[0] == "execution"]:
        del sys.modules[name]
    Server(Connection(wire), config["limits"]).serve()


def _enter(folder: str) -> None:
    """Become the interpreter of a virtual environment, as its own `python` would be."""
    sys.prefix = sys.exec_prefix = folder
    sys.executable = os.path.join(folder, "bin", "python")
    import site  # noqa: PLC0415 - runs what the version's packages bring, so not before confine()

    site.main()


if __name__ == "__main__":
    main()
