"""Short pages on how to call and how to publish."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from billing import pricing
from execution.hardware import offers
from web.pages.frame import visitor
from web.pages.snippets import Snippets
from web.state import State
from web.templating import render

EXAMPLE = "algorium/Sentiment"
EXAMPLE_INPUT = b'{"document": "The room was spotless, but breakfast was a disaster."}'


async def calling(request: Request[State]) -> Response:
    """Tell how to call an algorithm from a program."""
    actor = await visitor(request)
    site = request.state["settings"].url
    snippets = Snippets(site, EXAMPLE, "json", EXAMPLE_INPUT).all()
    return render(request, "docs/calling.html", actor=actor, site=site, snippets=snippets)


async def publishing(request: Request[State]) -> Response:
    """Tell how to publish an algorithm."""
    actor = await visitor(request)
    async with request.state["sessions"]() as session:
        found = await offers(session)
    return render(
        request,
        "docs/publishing.html",
        actor=actor,
        owner=actor.name or "YOUR_NAME",
        offers=[
            # What a second of compute costs, and an hour in which a replica is kept.
            (one, one.rate * 1000, pricing.reserved(rate=one.rate, replicas=1, minutes=60))
            for one in found
        ],
    )


routes: list[BaseRoute] = [
    Route("/docs/calling", calling, name="docs_calling"),
    Route("/publish", publishing, name="publish"),
]
