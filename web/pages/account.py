"""The account: its money at a glance, and the way to everything else of it."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from billing.reservations import kept_since
from billing.statements import WINDOW, earning, purse, spending, usage
from core.accounts.queries import account_named, keys_of
from core.clock import now
from core.paging import Page
from web.auth.identify import identify
from web.pages import account_earnings, account_keys, account_reservations, account_usage
from web.pages.account_frame import member, today
from web.pages.account_graph import graph
from web.state import State
from web.templating import render

_RECENT = 6


async def overview(request: Request[State]) -> Response:
    """Show balance, spending and earnings, and the newest calls."""
    account_id = await member(request)
    actor = await identify(request)
    async with request.state["sessions"]() as session:
        account = await account_named(session, actor.name)
        money = await purse(session, account_id)
        spent = await spending(session, account_id, today())
        brought = await earning(session, account_id, today())
        lines, count = await usage(session, account_id, Page(1, _RECENT))
        kept = await kept_since(session, account_id, now() - timedelta(days=WINDOW))
        known = await keys_of(session, account_id)
    return render(
        request,
        "account/overview.html",
        account=account,
        purse=money,
        spent=graph(spent),
        brought=graph(brought),
        kept=kept,
        lines=lines,
        count=count,
        keys=sum(key.revoked_at is None for key in known),
    )


routes = [
    Route("/account", overview, name="account"),
    *account_keys.routes,
    *account_usage.routes,
    *account_earnings.routes,
    *account_reservations.routes,
]
