"""Algorithmia's development kit, as algorithms use it: also by way of its client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

registered: list[ADK] = []


class ADK:
    """Takes an algorithm's functions; the platform runs them."""

    def __init__(
        self,
        apply_func: Callable[..., Any],
        load_func: Callable[..., Any] | None = None,
        client: object = None,  # noqa: ARG002 - part of the interface
    ) -> None:
        """Remember the functions."""
        self.apply_func = apply_func
        self.load_func = load_func
        registered.append(self)

    def init(self, local_payload: object = None, pprint: object = None) -> None:
        """Do nothing: here the platform calls the functions, never the module itself."""
