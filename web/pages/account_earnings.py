"""What an author's algorithms bring."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from billing.pricing import AUTHOR_PERCENT
from billing.reservations import kept_since
from billing.statements import WINDOW, earned, earners, earning, shares
from core.clock import now
from core.paging import Page
from execution.standing import standings
from web.pages.account_frame import member, pages_of, today
from web.pages.account_graph import graph
from web.state import State
from web.templating import render


async def earnings(request: Request[State]) -> Response:
    """Show what came in: by day, by algorithm, by call."""
    account_id = await member(request)
    page = Page.from_text(request.query_params.get("page"))
    async with request.state["sessions"]() as session:
        days = await earning(session, account_id, today())
        ever = await earned(session, account_id)
        algorithms = await earners(session, account_id, today())
        lines, count = await shares(session, account_id, page)
        kept = await kept_since(session, account_id, now() - timedelta(days=WINDOW))
        where = await standings(session, [one.newest for one in algorithms if one.newest])
    return render(
        request,
        "account/earnings.html",
        graph=graph(days),
        ever=ever,
        algorithms=algorithms,
        kept=kept,
        standings=where,
        lines=lines,
        count=count,
        page=page.number,
        pages=pages_of(count, page.size),
        percent=AUTHOR_PERCENT,
    )


routes = [Route("/account/earnings", earnings, name="earnings")]
