"""What algorithms use of Algorithmia's client, where their packages don't bring it itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import algorium  # type: ignore[import-not-found,unused-ignore]
from adk import ADK  # type: ignore[import-not-found,import-untyped,unused-ignore]

__all__ = ["ADK", "Algorithm", "Client", "algo", "client"]


class Algorithm:
    """Another algorithm."""

    def __init__(self, reference: str) -> None:
        """Name it as "owner/name" or "owner/name/version", with or without algo://."""
        self.reference = reference.removeprefix("algo://").strip("/")
        self._timeout: float | None = None

    def set_options(self, timeout: float | None = None, **_: object) -> Algorithm:
        """Set how many seconds it may take; every other option has no meaning in here."""
        self._timeout = timeout
        return self

    def pipe(self, value: Any) -> SimpleNamespace:  # noqa: ANN401
        """Return its answer as the attribute `result`."""
        result = algorium.call(self.reference, value, self._timeout)
        return SimpleNamespace(result=result, metadata=SimpleNamespace(stdout=None))


class Client:
    """Stands for the caller, whose credits pay for what is called."""

    def algo(self, reference: str) -> Algorithm:
        """Return another algorithm."""
        return Algorithm(reference)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Refuse everything else by its name."""
        message = f"client.{name} is not available inside an algorithm here."
        raise NotImplementedError(message)


def client(*_: object, **__: object) -> Client:
    """Return a client; keys and addresses are not needed in here."""
    return Client()


def algo(reference: str) -> Algorithm:
    """Return another algorithm."""
    return Algorithm(reference)
