"""One attack: an author's algorithm, what it is after, and how it must end."""

import json
import platform
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from execution.sandbox.limits import Limits
from execution.sandbox.syscalls import ABSENT, ALLOWED, CHECKED
from tests.sandbox.test_seccomp import FORBIDDEN

LIMITS = Limits(memory_mib=128, processes=32, tmp_mib=8, file_mib=4)
NAME = "Attack"

# What the kernel says to those whom it refuses. Anything else, such as a misspelt name in an
# attack, is no proof that the attack failed.
REFUSALS = (
    "No such file or directory|Permission denied|Operation not permitted|Read-only file system"
    "|Invalid cross-device link|Connection refused|Network is unreachable|No such process"
    "|Address family not supported by protocol|Protocol not supported|Function not implemented"
    "|Name or service not known|Temporary failure in name resolution|No such device"
    "|Text file busy|nothing was to be had"
)


class Language(StrEnum):
    """What an attack is written in."""

    PYTHON = "python"
    KERNEL = "system calls by number"
    PERL = "perl"
    SHELL = "sh"


@dataclass(frozen=True)
class Attack:
    """`code` is the body of a function of `host`, or a script that finds it in its environment.

    It returns or prints its loot, and raises OSError or dies where there is none.
    """

    name: str
    code: str
    language: Language = Language.PYTHON
    # It succeeds outside of a sandbox, which is shown first: else its failing inside says little.
    works_outside: bool = False
    refused: str = REFUSALS  # what it must be told
    ends: tuple[str, ...] = ()  # the types of failure that the call may end with instead
    harmless: Callable[[Any], bool] = field(default=lambda _: False)  # loot that is no success
    costs_the_worker: bool = False  # it must not be used again
    plain: bool = False  # what it returns is the result as it is, and the loot its bytes
    limits: Limits = LIMITS
    timeout_s: float = 10.0

    def files(self) -> dict[str, str]:
        """The project, as its author would lay it out."""
        body = textwrap.dedent(self.code).strip("\n")
        script = ""
        if self.language in {Language.PERL, Language.SHELL}:
            body, script = _LAUNCHES[self.language], body + "\n"
        before = f"{_HELPERS}\nNUMBERS = {_numbers()!r}\n\n\ndef attack(host):\n"
        source = before + textwrap.indent(body, "    ") + "\n\n\n" + _APPLY
        if self.plain:
            source = source.replace(
                '{"loot": attack(host) or error("nothing was to be had")}', "attack(host)"
            )
        return {f"src/{NAME}.py": source, "src/attack.txt": script}

    def outside(self, folder: Path, targets: dict[str, Any]) -> dict[str, Any]:
        """Run it as an ordinary program of this machine."""
        for path, text in self.files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        run = f"import json, {NAME} as it; print(json.dumps(it.apply(json.loads(input()))))"
        done = subprocess.run(
            [sys.executable, "-c", run], input=json.dumps(targets), cwd=folder / "src",
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        got = json.loads(done.stdout.splitlines()[-1])
        assert isinstance(got, dict)
        return got

    def failed(self, got: dict[str, Any]) -> bool:
        """Whether what it brought back is nothing."""
        if "refused" in got:
            return re.search(self.refused, str(got["refused"])) is not None
        return bool(self.harmless(got["loot"]))


_HELPERS = '''\
import ctypes
import glob
import json
import os
import re
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Make a system call by its number, past every library."""
    ctypes.set_errno(0)
    plain = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    got = libc.syscall(ctypes.c_long(NUMBERS[name]), *plain)
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


def all_that_work(attempts):
    """Try many things; give those that worked, or tell how the last one failed."""
    worked, last = [], None
    for name, attempt in attempts.items():
        try:
            attempt()
            worked.append(name)
        except OSError as error:
            last = error
    if not worked and last is not None:
        raise last
    return worked


def wires():
    """Every socket that this process was started with."""
    found = []
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                found.append(socket.socket(fileno=os.dup(fd)))
        except OSError:
            pass
    return found


def frame(header, body=b""):
    """A frame of the wire, as `header` says it is, which may be no header at all."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">IH", len(head) + 2 + len(body), len(head)) + head + body


def send_and_wait(data):
    for wire in wires():
        wire.sendall(data)
    time.sleep(600)


def script(program, host):
    plain = {name: str(value) for name, value in host.items()}
    done = subprocess.run(
        [program, HERE + "/attack.txt"], env={**os.environ, **plain}, capture_output=True,
        text=True, errors="replace",
    )
    if done.returncode != 0 or not done.stdout.strip():
        raise OSError(done.stderr[-300:].strip() or "nothing was to be had")
    return done.stdout.strip()

'''

_LAUNCHES = {
    Language.PERL: 'return script("/usr/bin/perl", host)',
    Language.SHELL: 'return script("/bin/sh", host)',
}

_APPLY = """\
def apply(host):
    if host == "are you there?":
        return "yes"
    try:
        return {"loot": attack(host) or error("nothing was to be had")}
    except OSError as error_:
        return {"refused": f"{type(error_).__name__}: {error_}"}


def error(words):
    raise OSError(words)
"""


def _numbers() -> dict[str, int]:
    column = 0 if platform.machine() == "x86_64" else 1
    calls = {**ALLOWED, **CHECKED, **ABSENT, **FORBIDDEN, "a call of the future": (9999, 9999)}
    return {name: number for name, it in calls.items() if (number := it[column]) is not None}
