"""What languages that are compiled need of a project's folder."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path


def hashed(folder: Path) -> str:
    """Hash names and contents of all files: anything may be embedded in what is compiled."""
    seen = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
            seen.update(b"%d:%b%d:" % (len(name), name, len(data)))
            seen.update(data)
    return seen.hexdigest()


def resolved(folders: Mapping[str, Path]) -> dict[str, str]:
    """Give folders outside, by their places in a sandbox, as they are really called."""
    return {inside: os.path.realpath(outside) for inside, outside in folders.items()}


def scratch(home: Path) -> Path:
    """Give the folder for what a build needs only while it goes on."""
    place = home / "builds" / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    return place
