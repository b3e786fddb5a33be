"""A cluster for tests of who tells it what."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.hardware import DEFAULT, Node, Profile
from execution.applications import Found, Wish


@dataclass
class Serve:
    """A cluster that does what it is told, at once."""

    there: dict[str, Found] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    goes_on: asyncio.Event | None = None

    machines: list[Node] = field(default_factory=list)

    def wish(self, replicas: int, profile: Profile = DEFAULT) -> Wish:
        return Wish(replicas, "f", profile)

    async def nodes(self) -> list[Node]:
        return self.machines

    async def found(self) -> Mapping[str, Found]:
        return dict(self.there)

    async def pool(self) -> Wish:
        return self.wish(1)

    async def loads(self) -> Mapping[str, float]:
        if self.goes_on is not None:
            await self.goes_on.wait()
        return self.load

    async def deploy(self, name: str, wish: Wish) -> None:
        if name in self.broken:
            raise RuntimeError("can't be deployed")
        self.there[name] = Found(wish, wish.replicas)

    async def remove(self, name: str) -> None:
        del self.there[name]
