"""The form that changes how many replicas an author's newest version has."""

from dataclasses import fields, replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from catalog import queries
from catalog.names import Selector
from catalog.scaling import Scaling
from core.errors import BadInput, Conflict, InsufficientCredits, NotFound
from execution import reservations
from web.auth.identify import require
from web.pages import listing_view
from web.pages.frame import visitor
from web.state import State
from web.templating import render


async def change(request: Request[State]) -> Response:
    """Change how many replicas the newest version has; its author's alone to do."""
    actor = await require(request)
    parts = request.path_params
    async with request.form() as form:
        typed = {one.name: str(form.get(one.name, ""))[:20] for one in fields(Scaling)}
        number = str(form.get("version", ""))
    try:
        async with request.state["sessions"].begin() as session:
            found = await queries.listing(
                session, actor, parts["owner"], parts["name"], Selector.parse(number)
            )
            if not actor.owns(found.algorithm.owner_id) or found.version is None:
                raise NotFound("There is no such version.")
            await reservations.change(session, actor, found.version.id, _read(typed))
    except (BadInput, Conflict, InsufficientCredits) as refusal:
        view = await listing_view.read(request, actor, number)
        if view.scaling is None:
            raise
        view = replace(view, scaling=replace(view.scaling, typed=typed, refusal=refusal))
        return render(
            request,
            "algorithm/page.html",
            status=refusal.status,
            actor=await visitor(request),
            view=view,
            answer=None,
        )
    address = f"/algorithms/{found.full_name}"
    return RedirectResponse(f"{address}#scaling", HTTPStatus.SEE_OTHER)


def _read(typed: dict[str, str]) -> Scaling:
    """Read the form. Raises BadInput."""
    numbers: dict[str, int] = {}
    for name, text in typed.items():
        if not text.isascii() or not text.strip().isdigit():
            raise BadInput(f"{name} is a number, and {text!r} is none. Nothing changed.")
        numbers[name] = int(text[:9])
    return Scaling(**numbers)


routes: list[BaseRoute] = [
    Route("/algorithms/{owner}/{name}/scaling", change, methods=["POST"], name="scaling"),
]
