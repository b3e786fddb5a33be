"""Headers that every answer carries, so that a browser does only what our pages need."""

from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.settings import Settings


class SecurityHeaders:
    """Sets the policy on every answer that hasn't set its own."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._headers = raw_headers(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add them to the answer as it starts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def start(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [pair for pair in self._headers if pair[0] not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._app(scope, receive, start)


def raw_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    """Give the headers as they are sent."""
    return [(name.lower().encode(), value.encode()) for name, value in headers(settings).items()]


def headers(settings: Settings) -> dict[str, str]:
    """Give the headers by their names."""
    given = {
        "Content-Security-Policy": policy(settings),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
    if settings.is_secure:
        given["Strict-Transport-Security"] = "max-age=31536000"
    return given


def policy(settings: Settings) -> str:
    """Allow our own files only; forms may also lead to where people sign in."""
    form_targets = ["'self'"]
    if settings.issuer is not None:
        issuer = urlsplit(settings.issuer.address)
        form_targets.append(f"{issuer.scheme}://{issuer.netloc}")
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            # The answer of an algorithm may be a sound.
            "media-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            f"form-action {' '.join(form_targets)}",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )
