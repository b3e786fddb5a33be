"""What an author's kept replicas have cost: by day and version, down to each minute."""

from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from billing.reservations import kept_days, kept_minutes
from core.errors import NotFound
from core.paging import Page
from web.pages.account_frame import member, pages_of
from web.state import State
from web.templating import render


async def days(request: Request[State]) -> Response:
    """List days and versions."""
    account_id = await member(request)
    page = Page.from_text(request.query_params.get("page"))
    async with request.state["sessions"]() as session:
        lines, count = await kept_days(session, account_id, page)
    return render(
        request,
        "account/reservations.html",
        lines=lines,
        count=count,
        page=page.number,
        pages=pages_of(count, page.size),
    )


async def one_day(request: Request[State]) -> Response:
    """List the minutes of one day of one version."""
    account_id = await member(request)
    page = Page.from_text(request.query_params.get("page"))
    try:
        on = date.fromisoformat(request.path_params["day"])
    except ValueError as error:
        raise NotFound("There is no such day.") from error
    async with request.state["sessions"]() as session:
        day, lines = await kept_minutes(
            session, account_id, request.path_params["version_id"], on, page
        )
    return render(
        request,
        "account/reservation_day.html",
        day=day,
        lines=lines,
        page=page.number,
        pages=pages_of(day.minutes, page.size),
    )


routes = [
    Route("/account/reservations", days, name="reservations"),
    Route("/account/reservations/{version_id:uuid}/{day}", one_day, name="reservation_day"),
]
