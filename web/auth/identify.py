"""Who is asking: the person behind a browser's cookie."""

from starlette.requests import Request

from core.accounts.actor import VISITOR, Actor
from core.accounts.queries import actor_of_session
from core.errors import SignInNeeded
from web.auth.cookies import session_token
from web.state import State

_KNOWN = "algorium.actor"


async def identify(request: Request[State]) -> Actor:
    """Tell who is asking; a visitor where nobody is signed in.

    The answer is remembered with the request, so that page, templates and error pages ask the
    database once. Keys of programs don't count here.
    """
    known = request.scope.get(_KNOWN)
    if isinstance(known, Actor):
        return known
    token = session_token(request, request.state["settings"])
    actor = VISITOR
    if token is not None:
        async with request.state["sessions"].begin() as session:
            actor = await actor_of_session(session, token) or VISITOR
    request.scope[_KNOWN] = actor
    return actor


async def require(request: Request[State]) -> Actor:
    """Tell who is signed in. Raises SignInNeeded, which sends a page's visitor to sign in."""
    actor = await identify(request)
    if actor.is_visitor:
        raise SignInNeeded("Sign in to see this page.")
    return actor
