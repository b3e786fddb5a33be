"""For languages that can't use a socket they inherit: gives them two pipes instead.

Started, once privileges are gone, as `python relay.py COMMAND... WIRE RESULT_BYTES`; the command
gets the numbers of a pipe to read and of one to write, and how many bytes a result may have.
Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import NoReturn

_READ_BYTES = 262_144
_DRAIN_S = 0.5


def main() -> NoReturn:
    """Carry frames both ways until the command ends; then end as it did."""
    *command, wire_number, result_bytes = sys.argv[1:]
    wire = int(wire_number)
    os.set_inheritable(wire, False)  # noqa: FBT003
    their_read, our_write = os.pipe()
    our_read, their_write = os.pipe()
    child = subprocess.Popen(
        [*command, str(their_read), str(their_write), result_bytes],
        pass_fds=(their_read, their_write),
    )
    os.close(their_read)
    os.close(their_write)
    back = threading.Thread(target=_carry, args=(our_read, wire), daemon=True)
    back.start()
    threading.Thread(target=_carry, args=(wire, our_write), daemon=True).start()
    code = child.wait()
    # What it said last may still be in the pipe, which a process that it left may hold open.
    back.join(_DRAIN_S)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _carry(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(source, _READ_BYTES):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(target, rest) :]
    with contextlib.suppress(OSError):
        os.close(target)


if __name__ == "__main__":
    main()
