"""What every page of an account begins with."""

from datetime import date
from uuid import UUID

from starlette.requests import Request

from core.clock import now
from core.errors import SignInNeeded
from web.auth.identify import require
from web.pages.frame import visitor
from web.state import State


async def member(request: Request[State]) -> UUID:
    """Give the account of whoever is signed in, and ready the top bar. Raises SignInNeeded."""
    actor = await require(request)
    await visitor(request)
    if actor.account_id is None:
        raise SignInNeeded("Sign in to see this page.")
    return actor.account_id


def today() -> date:
    """Give the day that it is in UTC."""
    return now().date()


def pages_of(count: int, size: int) -> int:
    """Tell how many pages so many rows fill; none at all is one page too."""
    return max(1, -(-count // size))
