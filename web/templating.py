"""From a template and its values to an answer: the whole page, or the part that htmx asked for.

    return render(request, "search/page.html", "search/_results.html", results=results)

The page includes the part, so that both come from one text and work without JavaScript. Every
template finds `actor`, `frame` (what the top bar shows), `path`, `theme`, `sign_in` (an address
that leads back), `is_part` and `csrf()` (a form's token) beside what its handler gives; a name
that nobody gave is an error, not a gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from billing.pricing import credits_text, usd_text
from core.accounts.actor import VISITOR
from web import words
from web.auth.csrf import csrf_token
from web.auth.returning import sign_in_address
from web.marks import glyph, mark

STATIC = Path(__file__).resolve().parent.parent / "static"
TEMPLATES = Path(__file__).resolve().parent / "templates"
THEMES = frozenset({"light", "dark"})
# Where a request's Frame is kept, so that an error page has it too.
FRAME = "algorium.frame"

_addresses: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the top bar says of whoever is signed in; amounts in microcredits."""

    balance: int
    spent_today: int


def render(
    request: Request[Any],
    template: str,
    part: str | None = None,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **context: Any,  # noqa: ANN401 - whatever the template needs
) -> Response:
    """Answer with `template`, or with `part` alone where htmx swaps it into a page.

    The actor is the handler's `actor=`, else the one that `identify` found for this request.
    """
    chosen = part if part is not None and is_htmx(request) else template
    theme = request.cookies.get("theme")
    values = {
        "request": request,
        "is_part": chosen != template,
        "path": request.url.path,
        "actor": request.scope.get("algorium.actor") or VISITOR,
        "frame": request.scope.get(FRAME),
        "theme": theme if theme in THEMES else None,
        "sign_in": sign_in_address(request),
        # Called only where a form needs one, so that a mere reader gets no cookie.
        "csrf": partial(csrf_token, request),
        **context,
    }
    return HTMLResponse(
        environment.get_template(chosen).render(values),
        status,
        # One address has two answers; and both depend on who is signed in.
        {"Vary": "HX-Request", "Cache-Control": "private, no-cache", **(headers or {})},
    )


def is_htmx(request: Request[Any]) -> bool:
    """Whether only a part is wanted; a restored history entry wants the whole page."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-History-Restore-Request") != "true"
    )


def static_url(path: str) -> str:
    """Give the address of a file under `static/`, which changes whenever its content does."""
    if path not in _addresses:
        digest = sha256((STATIC / path).read_bytes()).hexdigest()[:12]
        _addresses[path] = f"/static/{path}?v={digest}"
    return _addresses[path]


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static_url": static_url, "mark": mark, "glyph": glyph, "plural": words.plural}
    made.filters |= {
        "credits": credits_text,
        "usd": usd_text,
        "number": words.number,
        "compact": words.compact,
        "duration": words.duration,
        "ago": words.ago,
        "day": words.day,
        "moment": words.moment,
        "percent": words.percent,
    }
    return made


environment = _environment()
