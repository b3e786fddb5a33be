"""What the calls inside one call share: who pays, until when, and what is left to spend."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from billing.pricing import credits_text
from core.accounts.actor import Actor
from core.errors import InsufficientCredits
from execution.outcome import Outcome


@dataclass(slots=True)
class Budget:
    """What is left for the calls inside one call, at any depth, in microcredits."""

    left: int

    def take(self, amount: int) -> None:
        """Set aside the most that a call may cost. Raises InsufficientCredits."""
        if amount > self.left:
            raise InsufficientCredits(
                f"This call may cost up to {credits_text(amount)} credits, and "
                f"{credits_text(self.left)} are left of the budget for calls inside the "
                "outer one. Call with a shorter timeout, or the outer one with a larger `budget`."
            )
        self.left -= amount

    def give_back(self, amount: int) -> None:
        """Return what wasn't spent."""
        self.left += amount


@dataclass(frozen=True, slots=True)
class Frame:
    """One call under way, as the calls that it makes see it. `deadline` is on the loop's clock."""

    actor: Actor
    deadline: float
    budget: Budget
    chain: tuple[str, ...]


class Stopped(Exception):
    """Whoever called it from within has ended first."""


async def until(
    stop: "asyncio.Future[None] | None", running: Coroutine[object, object, Outcome]
) -> Outcome:
    """Await what runs, or cancel it when it is stopped. Raises Stopped."""
    if stop is None:
        return await running
    task = asyncio.create_task(running)
    stop.add_done_callback(lambda _: task.cancel())
    try:
        return await task
    except asyncio.CancelledError as error:
        if stop.done():
            raise Stopped from error
        raise
