"""Which installation a home folder is: its folders, its identity, the mark on its processes."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from web.up.errors import CannotStart

# Every process of an installation carries this variable, so that whatever a crash left
# behind is found again, and never mistaken for another installation's.
MARK = "ALGORIUM_INSTANCE"


def fingerprint(home: Path) -> str:
    """Give a short name for the place of `home`; two spellings of one place share it."""
    return hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:16]


def prepare(home: Path) -> None:
    """Make the home folder, for its owner alone; a folder that exists keeps its mode.

    Raises `CannotStart` where it can be neither made nor written.
    """
    way_out = "Set ALGORIUM_HOME to a folder that you may write to, and run it again."
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = home / f".write-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except FileExistsError:
        what = f"ALGORIUM_HOME, {home}, is not a folder."
        raise CannotStart(what, way_out) from None
    except OSError as error:
        what = f"ALGORIUM_HOME, {home}, cannot be written to ({error.strerror})."
        raise CannotStart(what, way_out) from None


def identity(home: Path) -> str:
    """Give the name that this home got when it was first used, making one where it has none.

    Unlike the fingerprint it goes with a home that is moved, and a home that is deleted and
    made anew gets another: data kept outside the home is filed under it.
    """
    file = home / "instance"
    with suppress(FileNotFoundError):
        if known := file.read_text().strip():
            return known
    fresh = secrets.token_hex(8)
    draft = home / f".instance-{os.getpid()}"
    draft.write_text(fresh + "\n")
    draft.replace(file)
    return fresh
