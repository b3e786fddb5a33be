"""What is deployed: the pool, and applications of versions' own. Knows nothing of Ray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from core.hardware import DEFAULT, Node, Profile

POOL = "python-cpu"
_OWN = "version-"


@dataclass(frozen=True, slots=True)
class Wish:
    """How many replicas, and the fingerprint of what they run and how, hardware included.

    `per_node` bounds how many of them one machine may have, so that its loss takes no more; 0
    bounds nothing.
    """

    replicas: int
    fingerprint: str
    profile: Profile = field(default=DEFAULT, compare=False)
    per_node: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Found:
    """An application as it is. `wish` is what was asked of it last."""

    wish: Wish
    running: int
    has_failed: bool = False
    is_leaving: bool = False


class Applications(Protocol):
    """The applications of a cluster."""

    def wish(self, replicas: int, profile: Profile = DEFAULT) -> Wish:
        """Wish for this many replicas of what this code runs, on this hardware."""
        ...

    async def pool(self) -> Wish:
        """Wish for a pool of what the machines that there are take."""
        ...

    async def found(self) -> Mapping[str, Found]:
        """Give all that there are, by name."""
        ...

    async def loads(self) -> Mapping[str, float]:
        """Give how many calls of each version were under way or waiting of late, by its id."""
        ...

    async def nodes(self) -> Sequence[Node]:
        """Give the machines that there are."""
        ...

    async def deploy(self, name: str, wish: Wish) -> None:
        """Ask for an application, and wait for nothing."""
        ...

    async def remove(self, name: str) -> None:
        """Ask for its end, and wait for nothing."""
        ...


def own_application(version_id: UUID | str) -> str:
    """Name the application of a version's own."""
    return f"{_OWN}{version_id}"


def is_ours(name: str) -> bool:
    """Whether an application is one of this product's."""
    return name == POOL or name.startswith(_OWN)


def version_of(name: str) -> UUID | None:
    """Tell whose own an application is; None for the pool."""
    return UUID(name.removeprefix(_OWN)) if name.startswith(_OWN) else None
