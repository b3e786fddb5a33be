"""Compiles inside a sandbox, and hands over what came of it. Standard library only.

Started by the launcher as `python -I -S -B maker.py MADE COMMAND... CONFIG`: the command is run,
and every file that is below the folder MADE afterwards is sent.
"""

from __future__ import annotations

# Without pathlib, which costs a sandbox some milliseconds at every start.
# ruff: noqa: PTH103, PTH118, PTH123
import json
import os
import subprocess
import sys

CHUNK = 4 * 1024 * 1024


def main() -> None:
    """Give up privileges, compile, send."""
    sys.path.insert(0, "/runner")
    from execution.languages.confinement import confine  # noqa: PLC0415 - the path is new
    from execution.sandbox.wire import encode  # noqa: PLC0415

    made, *command, config = sys.argv[1:]
    wire = confine(json.loads(config))
    os.makedirs(made)

    def send(header: dict[str, object], body: bytes = b"") -> None:
        data = memoryview(encode(header, body))
        while data:
            data = data[os.write(wire, data) :]

    code = subprocess.run(command, check=False).returncode
    for folder, _, names in os.walk(made) if code == 0 else ():
        for name in sorted(names):
            path = os.path.join(folder, name)
            header = {"kind": "file", "path": os.path.relpath(path, made)}
            with open(path, "rb") as file:
                header["runs"] = bool(os.fstat(file.fileno()).st_mode & 0o100)
                while chunk := file.read(CHUNK):
                    send(header, chunk)
    send({"kind": "done", "code": code})


if __name__ == "__main__":
    main()
