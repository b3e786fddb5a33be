"""The one guard against forged forms: every unsafe request outside the API passes it.

A token is bound to the browser's session, or to a cookie of its own for a visitor (so that
nobody can be signed in as somebody else). A form carries it in a hidden field `csrf` that
stands first in the form; a script sends it as `X-CSRF-Token`. Requests that say where they
come from must come from this site.
"""

import hmac
import secrets
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import MarketError, NotAllowed, TooLarge
from core.settings import Settings
from web.auth import cookies

FIELD = "csrf"
HEADER = "X-CSRF-Token"
# Addresses that never look at a cookie: programs come with keys or signatures there.
# Some clients double the first slash.
EXEMPT = ("/v1/", "//v1/")
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_SCOPE = "algorium.csrf"
_FORM_LIMIT = 1024 * 1024
# The largest input of a run with the rest of its form. Whoever reads a form keeps all of it.
_RUN_LIMIT = 11 * 1024 * 1024
_RUN = "/run"
# How far into an upload the field may stand.
_HEAD_LIMIT = 64 * 1024
_STALE = "This form is out of date, so nothing was changed. Reload the page and send it again."


class CsrfMiddleware:
    """Refuses what another site made a browser send; see the module."""

    def __init__(self, app: ASGIApp, *, settings: Settings, secret: bytes) -> None:
        self._app = app
        self._settings = settings
        self._secret = secret
        self._origin = _origin(settings.url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, and give the visitor a cookie where a form was shown to one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        binding = _Binding(Request(scope), self._settings, self._secret)
        scope[_SCOPE] = binding

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start" and binding.shown:
                binding.finish(MutableHeaders(scope=message))
            await send(message)

        if scope["method"] in SAFE or scope["path"].startswith(EXEMPT):
            await self._app(scope, receive, finish)
            return
        is_run = scope["path"].endswith(_RUN)
        body = _Replayed(receive, _RUN_LIMIT if is_run else _FORM_LIMIT + _HEAD_LIMIT)
        try:
            self._check_source(Headers(scope=scope))
            if not binding.accepts(await _token_of(scope, body)):
                raise NotAllowed(_STALE)
        except MarketError as refusal:
            answer = await _dressed(Request(scope, receive), refusal)
            await answer(scope, receive, finish)
            return
        await self._app(scope, body, finish)

    def _check_source(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is None:
            if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
                raise NotAllowed("This was sent by another site, so nothing was changed.")
        elif origin.lower() != self._origin:
            raise NotAllowed(
                f"This was sent from {origin[:200]}, and this site is {self._settings.url}. "
                "Nothing was changed. Open the site by that address and try again."
            )


def csrf_token(request: Request[Any]) -> str:
    """Give a token for a form on the page that is being made for this request."""
    binding = request.scope[_SCOPE]
    if not isinstance(binding, _Binding):
        raise TypeError
    return binding.token()


class _Binding:
    """What the tokens of one browser are bound to."""

    def __init__(self, request: Request, settings: Settings, secret: bytes) -> None:
        session = cookies.session_token(request, settings)
        visit = request.cookies.get(cookies.named(cookies.VISIT, secure=settings.is_secure))
        self.shown = False
        self._settings = settings
        self._secret = secret
        self._session = session
        self._is_new = not session and not visit
        self._visit = visit or secrets.token_urlsafe(16)

    def token(self) -> str:
        self.shown = True
        salt = secrets.token_urlsafe(9)
        return f"{salt}.{self._proof(salt)}"

    def accepts(self, token: str) -> bool:
        salt, _, proof = token.partition(".")
        # A browser that shows no cookie of ours has never been given a form.
        return (
            not self._is_new
            and token.isascii()
            and 0 < len(salt) <= 40  # noqa: PLR2004
            and hmac.compare_digest(proof, self._proof(salt))
        )

    def finish(self, headers: MutableHeaders) -> None:
        """Keep a page with a token out of shared caches, and set a new visitor's cookie."""
        headers.setdefault("Cache-Control", "private, no-cache")
        headers.add_vary_header("Cookie")
        if self._is_new:
            secure = self._settings.is_secure
            carrier = Response()
            carrier.set_cookie(
                cookies.named(cookies.VISIT, secure=secure),
                self._visit, path="/", secure=secure, httponly=True, samesite="lax",
            )  # fmt: skip
            headers.append("Set-Cookie", carrier.headers["set-cookie"])

    def _proof(self, salt: str) -> str:
        # The words keep a session's token and a visit's value from standing for one another.
        bound = f"session:{self._session}" if self._session else f"visit:{self._visit}"
        return hmac.new(self._secret, f"{salt}:{bound}".encode(), sha256).hexdigest()


class _Replayed:
    """A request's body, read in part by the guard and then given whole to whoever asks.

    Raises TooLarge where it goes on beyond `limit`.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._waiting: list[Message] = []
        self._size = 0

    async def read(self, until: int) -> tuple[bytes, bool]:
        """Read up to about `until` bytes; says also whether that was all."""
        parts: list[bytes] = []
        size, more = 0, True
        while more and size <= until:
            message = await self._next()
            self._waiting.append(message)
            part = message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
            parts.append(part)
            size += len(part)
        return b"".join(parts), not more

    async def __call__(self) -> Message:
        return self._waiting.pop(0) if self._waiting else await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise TooLarge("This form is larger than a form of this site can be.")
        return message


async def _token_of(scope: Scope, body: _Replayed) -> str:
    headers = Headers(scope=scope)
    if sent := headers.get(HEADER):
        return sent
    kind, _, more = headers.get("content-type", "").partition(";")
    if kind.strip().lower() == "application/x-www-form-urlencoded":
        text, whole = await body.read(_FORM_LIMIT)
        if not whole:
            raise TooLarge("This form is larger than a form of this site can be.")
        fields = parse_qs(text.decode("utf-8", "replace"), max_num_fields=1000)
        return fields.get(FIELD, [""])[0]
    if kind.strip().lower() == "multipart/form-data":
        boundary = more.partition("boundary=")[2].split(";")[0].strip().strip('"')
        return _first_part((await body.read(_HEAD_LIMIT))[0], boundary.encode())
    return ""


def _first_part(head: bytes, boundary: bytes) -> str:
    """Read the token where it is the first part of an upload."""
    parts = head.split(b"--" + boundary, 2) if boundary else []
    if len(parts) < 3:  # noqa: PLR2004
        return ""
    about, _, value = parts[1].partition(b"\r\n\r\n")
    if f'name="{FIELD}"'.encode() not in about:
        return ""
    return value.strip().decode("ascii", "replace")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, usual} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


async def _dressed(request: Request, refusal: MarketError) -> Response:
    """Let the application's own handler word the refusal, as it does for any page."""
    handlers = request.app.exception_handlers
    for kind in type(refusal).__mro__:
        if kind in handlers:
            answer: Response = await handlers[kind](request, refusal)
            return answer
    return PlainTextResponse(refusal.message, refusal.status)
