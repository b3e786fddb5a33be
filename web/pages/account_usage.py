"""What an account's calls were and cost: the list, its export, and one call in full."""

import csv
import io
from collections.abc import AsyncIterator
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from billing.pricing import credits_text
from billing.receipts import MOST_NESTED, receipt
from billing.statements import CallLine, spending, usage, usage_before
from core.db import Sessions
from core.paging import Page
from web.auth.identify import identify
from web.pages.account_frame import member, pages_of, today
from web.pages.account_graph import graph
from web.state import State
from web.templating import render

MOST_EXPORTED = 100_000
_AT_ONCE = 1000
_COLUMNS = (
    "ended_utc", "call", "within_call", "algorithm", "version", "key", "outcome", "error",
    "duration_ms", "royalty_credits", "compute_credits", "total_credits",
)  # fmt: skip


async def list_calls(request: Request[State]) -> Response:
    """List the calls that the account paid for."""
    account_id = await member(request)
    page = Page.from_text(request.query_params.get("page"))
    async with request.state["sessions"]() as session:
        days = await spending(session, account_id, today())
        lines, count = await usage(session, account_id, page)
    return render(
        request,
        "account/usage.html",
        graph=graph(days),
        lines=lines,
        count=count,
        page=page.number,
        pages=pages_of(count, page.size),
        most_exported=MOST_EXPORTED,
    )


async def export(request: Request[State]) -> Response:
    """Give the same list as a file for spreadsheets."""
    account_id = await member(request)
    name = f"algorium-usage-{today().isoformat()}.csv"
    return StreamingResponse(
        _rows(request.state["sessions"], account_id),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


async def one_call(request: Request[State]) -> Response:
    """Show one call to whoever paid for it, or to the author whose algorithm it ran."""
    await member(request)
    actor = await identify(request)
    async with request.state["sessions"]() as session:
        found = await receipt(session, actor, request.path_params["call_id"])
    return render(request, "account/call.html", receipt=found, most_nested=MOST_NESTED)


async def _rows(sessions: Sessions, account_id: UUID) -> AsyncIterator[str]:
    """Write the file in parts, each read in a transaction of its own."""
    yield _csv([_COLUMNS])
    last, written = None, 0
    while written < MOST_EXPORTED:
        async with sessions() as session:
            lines = await usage_before(session, account_id, last, _AT_ONCE)
        if not lines:
            return
        yield _csv([_row(line) for line in lines])
        last, written = lines[-1], written + len(lines)


def _row(line: CallLine) -> tuple[str, ...]:
    return (
        line.at.strftime("%Y-%m-%d %H:%M:%S"),
        str(line.id),
        str(line.parent_id or ""),
        f"{line.owner}/{line.algorithm}",
        line.number,
        _harmless(line.key_label or ""),
        line.state.value,
        line.error_type,
        f"{line.duration_ms:.1f}",
        _plain(line.royalty),
        _plain(line.compute),
        _plain(line.total),
    )


def _csv(rows: list[tuple[str, ...]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue()


def _plain(amount: int) -> str:
    return credits_text(amount).replace(",", "")


def _harmless(text: str) -> str:
    """Keep a spreadsheet from taking a label for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


routes = [
    Route("/account/usage", list_calls, name="usage"),
    Route("/account/usage.csv", export, name="usage_export"),
    Route("/account/calls/{call_id:uuid}", one_call, name="call_receipt"),
]
