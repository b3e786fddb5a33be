"""References to algorithms, `owner/Name/1.2.*`: how they are read and what they select. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from core.errors import BadInput, NotFound

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
NUMBER = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
SELECTOR = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.(?:0|[1-9][0-9]{0,5})){0,2}(?:\.\*)?")

Number: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which version is asked for: the newest whose number begins with `parts`.

    No parts is the newest of all; three are exactly that one.
    """

    parts: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Read `latest`, `1`, `1.*`, `1.2`, `1.2.*` or `1.2.3`. Raises NotFound otherwise."""
        if text in {"", "latest"}:
            return cls()
        parts = text.removesuffix(".*").split(".")
        if not SELECTOR.fullmatch(text) or len(parts) + text.endswith(".*") > 3:  # noqa: PLR2004
            raise NotFound(
                f"404: {text!r} names no version. Use latest, 1.2, 1.2.* or an exact one as 1.2.3."
            )
        return cls(tuple(int(part) for part in parts))

    def selects(self, number: Number) -> bool:
        """Whether a version of that number is among those asked for."""
        return number[: len(self.parts)] == self.parts


@dataclass(frozen=True, slots=True)
class Reference:
    """An owner's name, an algorithm's name, and a selector of its versions."""

    owner: str
    name: str
    selector: Selector

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, path: str) -> "Reference":
        """Read `owner/Name[/version]`, also after `algo://` or slashes.

        Raises NotFound for whatever can't be the name of an algorithm.
        """
        parts = [part for part in path.removeprefix("algo://").split("/") if part]
        if len(parts) not in {2, 3} or not all(
            re.fullmatch(r"\w{1,64}", part, re.ASCII) for part in parts[:2]
        ):
            raise NotFound(
                f"404: No such algorithm: {path[:120]!r}. Write it as owner/Name or "
                "owner/Name/version."
            )
        return cls(parts[0], parts[1], Selector.parse(parts[2] if len(parts) > 2 else ""))  # noqa: PLR2004


def newest(numbers: Iterable[Number], selector: Selector) -> Number | None:
    """Pick the highest number that the selector selects; None where there is none."""
    return max((number for number in numbers if selector.selects(number)), default=None)


def check_name(name: str) -> str:
    """Give the name back where an algorithm may have it, else raise BadInput."""
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{name[:80]!r} can't be an algorithm's name: 1 to 64 letters, digits or "
            "underscores, beginning with a letter."
        )
    return name


def parse_number(text: str) -> Number:
    """Read a full version number. Raises BadInput."""
    match = NUMBER.fullmatch(text)
    if match is None:
        raise BadInput(f"{text[:40]!r} is no version number; write three numbers as in 1.0.0.")
    return int(match[1]), int(match[2]), int(match[3])
