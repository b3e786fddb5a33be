"""For algorithms: call other algorithms, as the person who called this one.

import algorium

greeting = algorium.call("alice/Hello/1.0.0", "Bob", timeout=10)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["CallError", "call"]


class CallError(Exception):
    """A nested call gave no result: `type` is the error's type, such as "InputError"."""

    def __init__(self, type: str, message: str) -> None:  # noqa: A002 - the contract's word
        """Keep both; the text of this error is the message."""
        super().__init__(type, message)
        self.type = type
        self.message = message

    def __str__(self) -> str:
        """Return the message alone."""
        return self.message


def call(reference: str, value: Any = None, timeout: float | None = None) -> Any:  # noqa: ANN401
    """Return what `reference` ("owner/name" or "owner/name/version") answers to `value`.

    Text, bytes and whatever JSON can carry go in and come out. `timeout` is in seconds.
    May be used from several threads at once. Raises `CallError`.
    """
    return _call(reference, value, timeout)


def _unconnected(reference: str, value: Any, timeout: float | None) -> Any:  # noqa: ANN401, ARG001
    kind = "SystemError"
    raise CallError(kind, "Algorithms can be called only from within a running algorithm.")


_call: Callable[[str, Any, float | None], Any] = _unconnected
