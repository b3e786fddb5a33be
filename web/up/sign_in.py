"""The development sign-in: when it is used, where it listens, what the site is told of it."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from core.settings import Settings
from web.up import instance
from web.up.errors import CannotStart

_CLIENT = "algorium-development"
_REAL_PROVIDERS = ("OIDC_ISSUER", "GITHUB_CLIENT_ID", "GOOGLE_CLIENT_ID")


def is_needed(settings: Settings) -> bool:
    """Whether no real provider is set."""
    return settings.issuer is None and not any(os.environ.get(name) for name in _REAL_PROVIDERS)


def require_loopback(settings: Settings) -> None:
    """Refuse to offer a sign-in without passwords to anyone beyond this machine."""
    if not settings.is_loopback:
        raise CannotStart(
            f"No sign-in provider is set, and the development one is not for {settings.url}: "
            "it lets anyone in as anyone.",
            "Set OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET to a provider of yours.",
        )


def command(port: int, settings: Settings) -> list[str]:
    """Give the command that serves the development sign-in."""
    module = [sys.executable, "-m", "web.dev_provider"]
    return [*module, "--port", str(port), "--site", settings.url]


def environment(port: int) -> dict[str, str]:
    """Give the settings that make the site use the development sign-in."""
    return {
        "OIDC_ISSUER": f"http://127.0.0.1:{port}",
        "OIDC_CLIENT_ID": _CLIENT,
        # Nothing is kept from anyone by it: the provider accepts whatever the client sends.
        "OIDC_CLIENT_SECRET": "not-a-secret",
        "OIDC_LABEL": "the development sign-in",
        "OIDC_DEVELOPMENT": "1",
    }


def port_of(home: Path) -> int:
    """Give the port that this home's sign-in listens on, the same at each start if it is free.

    An account is known by its provider's address and its name there: with another port the
    same person would come back as somebody else.
    """
    note = home / "sign-in-port"
    with suppress(FileNotFoundError, ValueError):
        known = int(note.read_text())
        if _free(known):
            return known
    # Below the ports that the system gives to outgoing connections, which come and go.
    first = 20000 + int(instance.fingerprint(home), 16) % 10000
    fresh = next(port for port in range(first, first + 1000) if _free(port))
    note.write_text(f"{fresh}\n")
    return fresh


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
