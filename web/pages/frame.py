"""Who opens a page, and what the top bar says of them."""

from datetime import UTC, datetime

from starlette.requests import Request

from billing.figures import spent_since, wallet_balance
from billing.reservations import kept_since
from core.accounts.actor import Actor
from core.clock import now
from web.auth.identify import identify
from web.state import State
from web.templating import FRAME, Frame, is_htmx


async def visitor(request: Request[State]) -> Actor:
    """Tell who asks, and look up what the top bar shows where the whole page is wanted."""
    actor = await identify(request)
    if actor.account_id is not None and not is_htmx(request):
        today = datetime.combine(now().date(), datetime.min.time(), UTC)
        async with request.state["sessions"]() as session:
            request.scope[FRAME] = Frame(
                balance=await wallet_balance(session, actor.account_id),
                spent_today=await spent_since(session, actor.account_id, today)
                + await kept_since(session, actor.account_id, today),
            )
    return actor
