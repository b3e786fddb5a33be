"""The author's code: finding its functions, and telling what went wrong in it.

Standard library only.
"""

# Without pathlib, which costs a sandbox some milliseconds at every start.
# ruff: noqa: PTH113, PTH118

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

TYPES = frozenset(
    {
        "InputError",
        "UnsupportedError",
        "InitializationError",
        "OutOfMemoryError",
        "OutOfGpuMemoryError",
        "LanguageError",
        "TooLargeError",
        "ParsingError",
        "EntityNotFoundError",
        "ThirdPartyCredentialError",
        "AlgorithmError",
    }
)
_MESSAGE_LIMIT = 10_000
_STACKTRACE_LIMIT = 20_000

Apply = Callable[[Any], Any]


class LoadFailed(Exception):
    """The version's code can't be served; the message says why."""


def load(root: str, name: str) -> Apply:
    """Import `src/<name>.py` below `root`, run its load step, and return a function of the input.

    Raises `LoadFailed`, or whatever the author's code raises.
    """
    if not os.path.isfile(os.path.join(root, "src", f"{name}.py")):
        if os.access(root, os.R_OK | os.X_OK):
            raise LoadFailed(f"src/{name}.py is not there.")
        raise LoadFailed("The version's folder can't be read by the user that it runs as.")
    _show(root)
    module = importlib.import_module(f"src.{name}")
    from_adk = getattr(sys.modules.get("adk"), "registered", None)
    if from_adk:
        apply, loader = from_adk[-1].apply_func, from_adk[-1].load_func
    else:
        apply, loader = getattr(module, "apply", None), getattr(module, "load", None)
    if not callable(apply):
        message = f"src/{name}.py has no function apply(input)."
        raise LoadFailed(message)
    state = _run_load(loader) if callable(loader) else None
    if _positional(apply) >= 2:  # noqa: PLR2004 - the input and the state
        return lambda value: apply(value, state)
    function: Apply = apply
    return function


def describe(error: BaseException, root: str) -> dict[str, str]:
    """Return an exception of the author's code as type, message and its frames in `root`."""
    kind = "OutOfMemoryError" if isinstance(error, MemoryError) else type(error).__name__
    message = str(error) or type(error).__name__
    if isinstance(error, MemoryError) and not str(error):
        message = "The algorithm ran out of memory."
    return {
        "type": kind if kind in TYPES else "AlgorithmError",
        "message": _written(message[:_MESSAGE_LIMIT]),
        "stacktrace": _written(_frames(error, root)[-_STACKTRACE_LIMIT:]),
    }


def load_reason(error: BaseException) -> str:
    """Return in one sentence why loading failed."""
    if isinstance(error, LoadFailed):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"{error}. Is it missing from requirements.txt?"
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _written(text[:_MESSAGE_LIMIT])


def _written(text: str) -> str:
    """Return what can be written of a text: half of a surrogate pair can't."""
    return text.encode("utf-8", "replace").decode()


def _show(root: str) -> None:
    """Put the project behind the standard library, which it can't shadow, and before packages."""
    first = next((n for n, path in enumerate(sys.path) if "site-packages" in path), len(sys.path))
    sys.path.insert(first, root)


def _run_load(loader: Callable[..., Any]) -> Any:  # noqa: ANN401
    return loader(_Manifest()) if _positional(loader) >= 1 else loader()


class _Manifest:
    """What an ADK load step may ask for, where the version has no model manifest."""

    def get_model(self, name: str) -> str:
        raise LoadFailed(f"There is no model {name}: manifests are not supported; keep it in git.")


def _positional(function: Callable[..., Any]) -> int:
    """Return how many arguments without a default a function takes."""
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__"):
        needed = code.co_argcount - len(getattr(function, "__defaults__", None) or ())
        return int(needed) - (1 if hasattr(function, "__self__") else 0)
    import inspect  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)


def _frames(error: BaseException, root: str) -> str:
    import traceback  # noqa: PLC0415 - slow to import, and only failures need it

    frames = [
        traceback.FrameSummary(
            frame.filename[len(root) + 1 :], frame.lineno, frame.name, line=frame.line
        )
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(root + "/")
    ]
    if not frames and not isinstance(error, SyntaxError):
        return ""
    last = "".join(traceback.format_exception_only(type(error), error)).replace(root + "/", "")
    return "Traceback (most recent call last):\n" + "".join(traceback.format_list(frames)) + last
