"""Where a person goes after signing in: back to the page that asked for it, never elsewhere."""

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request

HOME = "/"
_LONGEST = 1000


def local_path(text: str | None) -> str:
    r"""Give `text` back where it is an address on this site, else the home page.

    Browsers read a backslash as a slash and skip control characters, so that neither may be in
    it: `/\evil.example` and `/<tab>/evil.example` would leave the site.
    """
    if not text or len(text) > _LONGEST or not text.startswith("/") or text.startswith("//"):
        return HOME
    if "\\" in text or not text.isprintable() or " " in text:
        return HOME
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or parts.path.startswith(("/sign_in", "/sign_out")):
        return HOME
    return text


def sign_in_address(request: Request) -> str:
    """Give the address of the sign-in page that leads back to the page asked for now."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = local_path(here)
    return "/sign_in" if wanted == HOME else f"/sign_in?{urlencode({'next': wanted})}"
