"""The keys of an account's programs: made, shown once, listed, revoked."""

from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from catalog.names import Selector
from catalog.queries import listing
from core.accounts import queries, service
from core.accounts.actor import Actor
from core.accounts.models import Key
from core.errors import BadInput, Conflict, MarketError, NotFound
from web.auth.identify import identify
from web.pages.account_frame import member
from web.pages.snippets import KEY, Snippets
from web.state import State
from web.templating import render

# What the docs call first.
EXAMPLE = ("algorium", "Sentiment")


async def keys(request: Request[State]) -> Response:
    """List the keys."""
    account_id = await member(request)
    return await _page(request, account_id)


async def make(request: Request[State]) -> Response:
    """Make a key and show it, this one time."""
    account_id = await member(request)
    async with request.form() as form:
        label = str(form.get("label", ""))
    try:
        async with request.state["sessions"].begin() as session:
            made, text = await service.add_key(session, account_id, label)
    except (BadInput, Conflict) as refusal:
        return await _page(request, account_id, label=label, refusal=refusal)
    line = await _ready_line(request, await identify(request))
    return await _page(request, account_id, made=made, text=text, line=line.replace(KEY, text))


async def ask_to_revoke(request: Request[State]) -> Response:
    """Ask before a key ends: it can't be brought back."""
    account_id = await member(request)
    key = await _own(request, account_id)
    if key.revoked_at is not None:
        return RedirectResponse("/account/keys", HTTPStatus.SEE_OTHER)
    return render(request, "account/revoke.html", key=key)


async def revoke(request: Request[State]) -> Response:
    """End a key."""
    account_id = await member(request)
    async with request.state["sessions"].begin() as session:
        await service.revoke_key(session, account_id, request.path_params["key_id"])
    return RedirectResponse("/account/keys", HTTPStatus.SEE_OTHER)


async def _ready_line(request: Request[State], actor: Actor) -> str:
    """Give a command that calls the docs' own example; empty where it isn't on offer.

    Nobody's first call should pay a stranger whom we happened to pick.
    """
    async with request.state["sessions"]() as session:
        try:
            found = await listing(session, actor, *EXAMPLE, Selector())
        except NotFound:
            return ""
    version = found.version
    snippets = Snippets(
        site=request.state["settings"].url,
        reference=found.full_name,
        kind=(version.sample_type if version else None) or "json",
        sample=(version.sample_input if version else None) or b'"hello"',
    )
    return snippets.all()[0].code


async def _own(request: Request[State], account_id: UUID) -> Key:
    async with request.state["sessions"]() as session:
        known = await queries.keys_of(session, account_id)
    for key in known:
        if key.id == request.path_params["key_id"]:
            return key
    raise NotFound("There is no such key in this account.")


async def _page(
    request: Request[State],
    account_id: UUID,
    *,
    label: str = "",
    refusal: MarketError | None = None,
    made: Key | None = None,
    text: str = "",
    line: str = "",
) -> Response:
    async with request.state["sessions"]() as session:
        known = await queries.keys_of(session, account_id)
    status = refusal.status if refusal else HTTPStatus.CREATED if made else HTTPStatus.OK
    return render(
        request,
        "account/keys.html",
        status=status,
        # The page with the key itself is kept nowhere.
        headers={"Cache-Control": "no-store"} if made else None,
        living=[key for key in known if key.revoked_at is None],
        revoked=[key for key in known if key.revoked_at is not None],
        label=label,
        longest=service.LABEL_LENGTH,
        refusal=refusal,
        made=made,
        text=text,
        line=line,
    )


routes = [
    Route("/account/keys", keys, name="keys"),
    Route("/account/keys", make, methods=["POST"], name="make_key"),
    Route("/account/keys/{key_id:uuid}/revoke", ask_to_revoke, name="ask_to_revoke_key"),
    Route("/account/keys/{key_id:uuid}/revoke", revoke, methods=["POST"], name="revoke_key"),
]
