"""Which code this is: machines of a cluster have to run the same."""

import hashlib
from functools import cache
from pathlib import Path


class OtherRelease(Exception):
    """A machine has other code than the one that asks it to work."""


@cache
def own() -> str:
    """Return what tells the code of this package from any other."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def require(release: str) -> None:
    """Raise OtherRelease where this isn't `release`; "" is any.

    A replica that refuses leaves those in service that it was to take the place of.
    """
    if release and release != own():
        raise OtherRelease(
            f"This machine has release {own()} of Algorium, and the worker has {release}. "
            "Give all machines of the cluster the same image."
        )
