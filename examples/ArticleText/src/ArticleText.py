"""The article of a web page, without menus, advertisements and footers."""

import json
from typing import Any

import trafilatura

MAX_BYTES = 5_000_000


class InputError(ValueError):
    """The input is not what this algorithm takes."""


class ParsingError(ValueError):
    """The page was read, but there is no article in it."""


def apply(input: Any) -> dict[str, Any]:
    """The text with what the page says about itself."""
    options = input if isinstance(input, dict) else {"html": input}
    html = html_in(options)
    address = options.get("url")
    if address is not None and not isinstance(address, str):
        raise InputError('"url" must be a text.')
    comments = options.get("comments", False)
    if not isinstance(comments, bool):
        raise InputError('"comments" must be true or false.')

    extracted = trafilatura.extract(
        html, url=address, output_format="json", with_metadata=True, include_comments=comments
    )
    if not extracted:
        raise ParsingError("No article was found in the page.")
    article = json.loads(extracted)
    return {
        "title": article.get("title"),
        "author": article.get("author"),
        "date": article.get("date"),
        "site": article.get("source-hostname") or article.get("hostname"),
        "text": article.get("text"),
        **({"comments": article.get("comments") or None} if comments else {}),
    }


def html_in(options: dict[str, Any]) -> str | bytes:
    """The page's source, as text or as the bytes that came from the server."""
    if "html" not in options:
        raise InputError('The input has no "html".')
    html = options["html"]
    if not isinstance(html, str | bytes):
        raise InputError(f'"html" must be a text, not {type(html).__name__}.')
    if not html.strip():
        raise InputError("The page is empty.")
    if len(html) > MAX_BYTES:
        raise InputError(f"The page is longer than {MAX_BYTES} bytes.")
    return html
