"""The installation's own secret: what its short-lived cookies and form tokens are signed with."""

import hmac
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

_BYTES = 32


def site_secret(home: Path) -> bytes:
    """Give the secret of this home, made the first time and readable by its owner alone.

    Processes that ask at the same moment get the same one.
    """
    place = home / "secret"
    with suppress(FileNotFoundError):
        return _read(place)
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the name is taken: whoever came first has made the secret.
        with suppress(FileExistsError):
            os.link(draft, place)
    finally:
        draft.unlink()
    return _read(place)


def derived(secret: bytes, purpose: str) -> bytes:
    """Give a key for one purpose, which says nothing of the others."""
    return hmac.digest(secret, purpose.encode(), sha256)


def channel_secret(home: Path) -> bytes:
    """Give what gateways and replicas of this installation know each other by."""
    return derived(site_secret(home), "channel")


def _read(place: Path) -> bytes:
    return bytes.fromhex(place.read_text().strip())
