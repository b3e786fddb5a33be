"""Code with its words marked by classes, for the stylesheet to colour."""

from markupsafe import Markup, escape
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

_FORMATTER = HtmlFormatter(nowrap=True)


def coloured(code: str, language: str) -> Markup:
    """Mark the words of a code; one in a language that nobody knows stays as it is."""
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escape(code)
    # The highlighter escapes whatever it is given.
    return Markup(highlight(code, lexer, _FORMATTER))  # noqa: S704
