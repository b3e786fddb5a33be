"""The first act inside a sandbox of every language but Python. Standard library only.

Started by the launcher as `python -I -S -B prelude.py WIRE COMMAND... CONFIG`.
"""

import json
import os
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Give up privileges, then become the command that serves the version."""
    sys.path.insert(0, "/runner")
    from execution.languages.confinement import confine  # noqa: PLC0415 - the path is new

    number, *command, config_text = sys.argv[1:]
    config = json.loads(config_text)
    os.dup2(confine(config), int(number))
    os.execv(command[0], [*command, number, str(config["limits"]["result_bytes"])])  # noqa: S606


if __name__ == "__main__":
    main()
