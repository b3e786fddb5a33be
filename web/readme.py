"""Markdown of strangers as HTML that can do no harm.

Markdown-it makes the HTML without passing any of the author's own through; nh3 then keeps only
what is on its list, so that one slip of the first isn't one of the whole.
"""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from web.coloured import coloured

LONGEST = 200_000

_TAGS = {
    "a", "blockquote", "br", "code", "del", "div", "em", "h2", "h3", "h4", "h5", "h6", "hr", "li",
    "ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "code": {"class"}, "span": {"class"}, "ol": {"start"},
               "th": {"align"}, "td": {"align"}, "div": {"class", "tabindex"},
               "pre": {"tabindex"}}  # fmt: skip


@lru_cache(maxsize=256)
def readme_html(text: str, title: str = "") -> Markup:
    """Turn a README into HTML, one level below the page's own heading.

    A first heading that only says `title` again is left out. Pictures are left out too: they
    would come from elsewhere.
    """
    tokens = _MARKDOWN.parse(text[:LONGEST])
    if len(tokens) > 2 and tokens[0].type == "heading_open":  # noqa: PLR2004
        said = tokens[1].content.rpartition("/")[2].replace(" ", "")
        if said.lower() == title.lower():
            tokens = tokens[3:]
    shift = any(token.type == "heading_open" and token.tag == "h1" for token in tokens)
    for token in tokens:
        if shift and token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # What scrolls must be reachable by keyboard; an author's own "<pre>" is escaped by now.
    html = html.replace("<pre>", '<pre tabindex="0">')
    return Markup(  # noqa: S704 - cleaned
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes={"http", "https", "mailto"},
            link_rel="nofollow noopener",
        )
    )


def _code(code: str, language: str, _: str) -> str:
    return str(coloured(code, language)) if language else ""


def _table_open(*_: object) -> str:
    return '<div class="table-wrap" tabindex="0"><table>'


def _table_close(*_: object) -> str:
    return "</table></div>"


def _image(tokens: list[Token], index: int, *_: object) -> str:
    return f"<em>{nh3.clean_text(tokens[index].content)}</em>" if tokens[index].content else ""


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "highlight": _code})
    made.enable(["table", "strikethrough"])
    made.renderer.rules |= {  # type: ignore[attr-defined]
        "table_open": _table_open,
        "table_close": _table_close,
        "image": _image,
    }
    return made


_MARKDOWN = _markdown()
