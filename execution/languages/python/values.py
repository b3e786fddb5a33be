"""Python values to payloads and back, as an author's function sees them. Standard library only."""

from __future__ import annotations

import json
from typing import Any


class NotCarried(Exception):
    """A value that no payload can carry; the message says which part of it."""


def to_value(content_type: str, data: bytes) -> Any:  # noqa: ANN401 - any value is the point
    """Return the value that a payload stands for."""
    if content_type == "binary":
        return data
    if content_type == "text":
        return data.decode()
    return None if content_type == "void" else json.loads(data.decode())


def to_payload(value: Any) -> tuple[str, bytes]:  # noqa: ANN401
    """Return the content type and bytes of `value`; `NotCarried` if it has none."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "binary", bytes(value)
    try:
        if isinstance(value, str):
            return "text", value.encode()
        return "json", _ENCODER.encode(value).encode()
    except RecursionError:
        message = "The result is nested too deeply, or holds itself."
    except UnicodeEncodeError:
        message = "The result holds text that isn't valid Unicode (a lone surrogate)."
    except (TypeError, ValueError) as error:
        message = _reason(error)
    raise NotCarried(message)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return numpy's and its kin's values as Python's own."""
    for name in ("tolist", "item"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            plain = method()
            if type(plain) is not type(value):
                return plain
    message = f"JSON can't carry a value of type {type(value).__name__}."
    raise TypeError(message)


_ENCODER = json.JSONEncoder(
    default=_plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")
)


def _reason(error: Exception) -> str:
    text = str(error)
    if "Out of range float" in text:
        return "The result holds NaN or infinity, which JSON can't carry."
    if "Circular reference" in text:
        return "The result holds itself, which JSON can't carry."
    if text.startswith("keys must be"):
        return f"The result has a dictionary key that JSON can't carry: {text}."
    return f"The result can't be returned: {text}"
