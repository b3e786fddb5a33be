"""The cookies of sign-in: their names and flags, in one place.

Where people reach the site by https, each is `Secure` and carries the `__Host-` prefix, so that
no other host of the same domain can plant one.
"""

from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from core.accounts.service import SESSION_LASTS
from core.settings import Settings

SESSION = "algorium_session"
# Holds state, nonce and verifier between leaving for the issuer and coming back.
TRIP = "algorium_trip"
# What the form tokens of a visitor are bound to.
VISIT = "algorium_visit"


def named(name: str, *, secure: bool) -> str:
    """Give a cookie's full name."""
    return f"__Host-{name}" if secure else name


def session_token(connection: HTTPConnection[Any], settings: Settings) -> str | None:
    """Give the token that the browser shows, whether it means anything or not."""
    return connection.cookies.get(named(SESSION, secure=settings.is_secure)) or None


def remember(response: Response, settings: Settings, token: str) -> None:
    """Have the browser keep its session's token."""
    response.set_cookie(
        named(SESSION, secure=settings.is_secure),
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="lax",
    )


def forget(response: Response, settings: Settings) -> None:
    """Have the browser drop its session's token."""
    response.delete_cookie(
        named(SESSION, secure=settings.is_secure),
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="lax",
    )
