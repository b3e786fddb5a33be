"""The installation's own secret: what its short-lived cookies and form tokens are signed with."""

import hmac
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from core.settings import Settings

_BYTES = 32


def site_secret(settings: Settings) -> bytes:
    """Give the secret that is set, or else that of this home.

    That one is made the first time, and is readable by its owner alone. Processes that ask at
    the same moment get the same one.
    """
    if settings.secret is not None:
        return sha256(settings.secret.encode()).digest()
    home = settings.home
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


def channel_secret(settings: Settings) -> bytes:
    """Give what gateways and replicas of this installation know each other by."""
    return derived(site_secret(settings), "channel")


def _read(place: Path) -> bytes:
    return bytes.fromhex(place.read_text().strip())
