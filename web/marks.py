"""The mark of each algorithm: its category's glyph on a gradient seeded by its name.

Made of SVG attributes alone, because the content security policy forbids inline styles.
"""

import math
from functools import lru_cache
from hashlib import sha256
from itertools import count

from markupsafe import Markup

# Strokes of 2 on a grid of 24.
GLYPHS = {
    "text": '<path d="M5 7V5h14v2M12 5v14M9 19h6"/>',
    "vision": '<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"/>'
    '<circle cx="12" cy="12" r="2.8"/>',
    "audio": '<path d="M3 10.5v3M7.5 7v10M12 3.5v17M16.5 8v8M21 10.5v3"/>',
    "operations": '<path d="M6 6h8.5a3.5 3.5 0 0 1 0 7h-5a3.5 3.5 0 0 0 0 7H18"/>'
    '<circle cx="4" cy="6" r="2"/><circle cx="20" cy="20" r="2"/>',
    "data": '<ellipse cx="12" cy="5.5" rx="7.5" ry="2.8"/>'
    '<path d="M4.5 5.5v13c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8v-13'
    'M4.5 12c0 1.5 3.4 2.8 7.5 2.8s7.5-1.3 7.5-2.8"/>',
    "utilities": '<path d="M14.5 6.3a1 1 0 0 0 0 1.4l1.8 1.8a1 1 0 0 0 1.4 0l3.6-3.6a6 6 0 0 1'
    '-7.9 7.9l-6.6 6.6a2.1 2.1 0 0 1-3-3l6.6-6.6a6 6 0 0 1 7.9-7.9Z"/>',
}

# Two marks on one page may not share an id: a gradient in a hidden part doesn't paint.
_numbers = count()


def mark(name: str, category: str, size: int = 40) -> Markup:
    """Draw the mark of an algorithm called `owner/Name`. It is decoration: the name is beside."""
    first, second = _gradient(name.lower())
    glyph = GLYPHS.get(category, GLYPHS["utilities"])
    key = f"m{next(_numbers) % 10**9}"
    return Markup(  # noqa: S704 - nothing of the name itself gets in
        f'<svg class="mark" width="{size}" height="{size}" viewBox="0 0 48 48" aria-hidden="true">'
        f'<linearGradient id="{key}" x1="0" y1="0" x2="1" y2="1"><stop stop-color="{first}"/>'
        f'<stop offset="1" stop-color="{second}"/></linearGradient>'
        f'<rect width="48" height="48" rx="12" fill="url(#{key})"/>'
        '<g transform="translate(12 12)" fill="none" stroke="#fff" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round">{glyph}</g></svg>'
    )


def glyph(category: str, size: int = 22) -> Markup:
    """Draw the glyph of a category alone, in the colour of the text around it."""
    return Markup(  # noqa: S704 - nothing of a stranger's gets in
        f'<svg width="{size}" height="{size}" viewBox="0 0 24 24" aria-hidden="true" fill="none" '
        'stroke="currentColor" stroke-width="1.8" stroke-linecap="round" '
        f'stroke-linejoin="round">{GLYPHS[category]}</svg>'
    )


@lru_cache(maxsize=4096)
def _gradient(name: str) -> tuple[str, str]:
    """Give two colours of even lightness, so that no name gets a loud mark."""
    seed = sha256(name.encode()).digest()
    # From green over blue and red to orange: the yellows in between look like mud.
    hue = 145 + int.from_bytes(seed[:2]) % 270
    turn = (28 + seed[2] % 36) * (-1 if hue > 340 else 1)  # noqa: PLR2004
    return _hex(0.66, 0.14, hue), _hex(0.5, 0.15, hue + turn)


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """Turn an OKLCH colour into sRGB, cut off where a screen can't show it."""
    a = chroma * math.cos(math.radians(hue))
    b = chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{_channel(value):02x}" for value in linear)


def _channel(value: float) -> int:
    bounded = min(1.0, max(0.0, value))
    curved = 12.92 * bounded if bounded <= 0.0031308 else 1.055 * bounded ** (1 / 2.4) - 0.055  # noqa: PLR2004
    return round(curved * 255)
