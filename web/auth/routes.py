"""Signing in and out."""

from http import HTTPStatus

from sqlalchemy.exc import IntegrityError
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from billing import ledger
from billing.pricing import SIGN_UP_GRANT
from core.accounts import service
from core.accounts.models import Account
from core.accounts.service import Claims
from core.db import Sessions
from core.errors import MarketError
from core.settings import Settings
from web.auth import cookies, oidc
from web.auth.csrf import CsrfMiddleware
from web.auth.identify import identify
from web.auth.returning import local_path
from web.auth.secret import derived, site_secret
from web.headers import policy
from web.state import State
from web.templating import render

GRANT_NOTE = "Credit for signing up"
# Time enough to find a password, and no more.
_TRIP_LASTS_S = 15 * 60
_NEXT = "next"


def middleware(settings: Settings) -> list[Middleware]:
    """Give what the application must be wrapped in, outermost first.

    `Starlette(middleware=[*middleware(settings), ...], exception_handlers={MarketError: ...})`:
    the guard against forged forms refuses through the application's handler of its errors, and
    the cookie of the trip to the issuer is signed here.
    """
    secret = site_secret(settings)
    return [
        Middleware(
            SessionMiddleware,
            secret_key=derived(secret, "trip").hex(),
            session_cookie=cookies.named(cookies.TRIP, secure=settings.is_secure),
            max_age=_TRIP_LASTS_S,
            same_site="lax",
            https_only=settings.is_secure,
        ),
        Middleware(CsrfMiddleware, settings=settings, secret=derived(secret, "csrf")),
    ]


async def page(request: Request[State]) -> Response:
    """Offer the ways to sign in; whoever is signed in goes on."""
    settings = request.state["settings"]
    wanted = local_path(request.query_params.get("next"))
    if request.url.netloc != settings.url.partition("://")[2] and settings.is_loopback:
        # `localhost` and `127.0.0.1` share no cookies: signing in at one fails at the other.
        return RedirectResponse(f"{settings.url}/sign_in?{request.url.query}".rstrip("?"))
    if not (await identify(request)).is_visitor:
        return RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    return _offer(request, wanted)


async def leave(request: Request[State]) -> Response:
    """Send the browser to the issuer."""
    settings = request.state["settings"]
    issuer = oidc.usable(settings)
    async with request.form() as form:
        wanted = local_path(str(form.get("next", "")))
    if issuer is None:
        return _offer(request, wanted)
    try:
        answer = await oidc.leave(request, settings, issuer)
    except MarketError as refusal:
        return _offer(request, wanted, refusal)
    request.session[_NEXT] = wanted
    return answer


async def arrive(request: Request[State]) -> Response:
    """Sign in whoever comes back from the issuer, in a session that is new each time."""
    settings = request.state["settings"]
    issuer = oidc.usable(settings)
    wanted = local_path(request.session.get(_NEXT))
    if issuer is None:
        return _offer(request, wanted)
    try:
        claims = await oidc.arrive(request, issuer)
    except MarketError as refusal:
        return _offer(request, wanted, refusal)
    request.session.clear()
    old = cookies.session_token(request, settings)
    token = await _signed_in(request.state["sessions"], claims, old)
    answer = RedirectResponse(wanted, HTTPStatus.SEE_OTHER)
    cookies.remember(answer, settings, token)
    return answer


async def sign_out(request: Request[State]) -> Response:
    """Close the session; its cookie is worth nothing from then on."""
    settings = request.state["settings"]
    token = cookies.session_token(request, settings)
    if token is not None:
        async with request.state["sessions"].begin() as session:
            await service.close_session(session, token)
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    cookies.forget(answer, settings)
    return answer


async def _signed_in(sessions: Sessions, claims: Claims, old: str | None) -> str:
    """Open a session for whoever the issuer vouches for, and close the browser's old one."""
    try:
        account_id = (await _account(sessions, claims)).id
    except IntegrityError:
        # The same person came for the first time twice at once; the other one was faster.
        account_id = (await _account(sessions, claims)).id
    async with sessions.begin() as session:
        if old is not None:
            await service.close_session(session, old)
        return await service.open_session(session, account_id)


async def _account(sessions: Sessions, claims: Claims) -> Account:
    """Give the account, with its wallet and its credit from the first moment on."""
    async with sessions.begin() as session:
        account, is_new = await service.account_of(session, claims)
        if is_new:
            await ledger.open_wallet(session, account.id)
            await ledger.grant(session, account.id, SIGN_UP_GRANT, GRANT_NOTE)
    return account


def _offer(request: Request[State], wanted: str, refusal: MarketError | None = None) -> Response:
    settings = request.state["settings"]
    answer = render(
        request,
        "account/sign_in.html",
        issuer=oidc.usable(settings),
        is_refused_by_address=settings.issuer is not None and oidc.usable(settings) is None,
        wanted=wanted,
        refusal=refusal,
        grant=SIGN_UP_GRANT,
    )
    answer.status_code = refusal.status if refusal else HTTPStatus.OK
    # Browsers hold a form's whole way against `form-action`, and an issuer may send people on
    # through hosts that we can't know. The one form of this page goes to ourselves.
    parts = policy(settings).split("; ")
    answer.headers["Content-Security-Policy"] = "; ".join(
        part for part in parts if not part.startswith("form-action")
    )
    return answer


routes = [
    Route("/sign_in", page, name="sign_in"),
    Route("/sign_in", leave, methods=["POST"], name="sign_in_leave"),
    Route(oidc.CALLBACK, arrive, name="sign_in_callback"),
    Route("/sign_out", sign_out, methods=["POST"], name="sign_out"),
]
