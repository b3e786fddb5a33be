"""Finding algorithms: home, search, categories, owners, and the page of each algorithm."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from catalog import queries
from catalog.models import Category
from core.accounts.queries import account_named
from core.errors import NotFound
from search.query import SearchQuery
from web.pages import listing_view, samples
from web.pages.frame import visitor
from web.pages.shelves import shelves_of
from web.state import State
from web.templating import is_htmx, render

EXAMPLES = ("sentiment of a review", "faces in a photo", "language of a text")


async def home(request: Request[State]) -> Response:
    """Show what there is: a search, the categories, and shelves."""
    actor = await visitor(request)
    view = await shelves_of(request.app).home(request.state)
    if is_htmx(request) and request.query_params.get("seen") == view.seen:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return render(
        request,
        "home/page.html",
        "home/_shelves.html",
        actor=actor,
        home=view,
        labels=queries.LABELS,
        examples=EXAMPLES,
    )


async def search(request: Request[State]) -> Response:
    """Show what the words in the address find."""
    actor = await visitor(request)
    query = SearchQuery.from_params(request.query_params)
    results = await request.state["index"].search(query)
    return render(
        request,
        "search/page.html",
        "search/_results.html",
        actor=actor,
        query=query,
        results=results,
        labels=queries.LABELS,
        examples=EXAMPLES,
    )


async def category(request: Request[State]) -> Response:
    """Show a category: the search without words, at an address of its own."""
    actor = await visitor(request)
    wanted = request.path_params["category"]
    if wanted not in set(Category):
        raise NotFound(f"There is no category named {wanted[:40]!r}.")
    page = request.query_params.get("page", "")
    query = SearchQuery.from_params({"category": wanted, "page": page})
    return render(
        request,
        "search/page.html",
        "search/_results.html",
        actor=actor,
        query=query,
        results=await request.state["index"].search(query),
        labels=queries.LABELS,
        examples=EXAMPLES,
    )


async def owner(request: Request[State]) -> Response:
    """Show everything that one account has listed."""
    actor = await visitor(request)
    async with request.state["sessions"]() as session:
        account = await account_named(session, request.path_params["owner"])
        cards = await queries.cards_by(session, account.id)
    return render(
        request,
        "algorithm/owner.html",
        actor=actor,
        owner=account,
        cards=cards,
        labels=queries.LABELS,
    )


async def algorithm(request: Request[State]) -> Response:
    """Show one algorithm in one of its versions."""
    actor = await visitor(request)
    view = await listing_view.read(request, actor)
    if (canonical := view.canonical(request.url.path)) is not None:
        return RedirectResponse(f"{canonical}?{request.url.query}".rstrip("?"))
    return render(request, "algorithm/page.html", actor=actor, view=view, answer=None)


routes: list[BaseRoute] = [
    Route("/", home, name="home"),
    Route("/search", search, name="search"),
    Route("/categories/{category}", category, name="category"),
    Route("/algorithms/{owner}", owner, name="owner"),
    Route("/algorithms/{owner}/{name}", algorithm, name="algorithm"),
    Route("/algorithms/{owner}/{name}/{version}/{which:str}", samples.sample, name="sample"),
]
