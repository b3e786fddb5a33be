"""Numbers, moments and amounts in words, the same on every page. Pure but for the clock."""

from datetime import datetime

from core.clock import now

_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"))
_THOUSAND = 1000


def number(value: float) -> str:
    """Write a count with its thousands apart: 12,345."""
    return f"{value:,.0f}"


def compact(value: int) -> str:
    """Write a count for a narrow place: 950, 12.3k, 4.1M."""
    for size, letter in ((_THOUSAND**3, "G"), (_THOUSAND**2, "M"), (_THOUSAND, "k")):
        if value >= size:
            scaled = value / size
            digits = f"{scaled:.0f}" if scaled >= 100 else f"{scaled:.1f}".removesuffix(".0")  # noqa: PLR2004
            return f"{digits}{letter}"
    return str(value)


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: 1 call, 2,000 calls."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(milliseconds: float) -> str:
    """Write a time that something took, in the unit that fits: 0.4 ms, 38 ms, 1.25 s, 3.2 min."""
    if milliseconds < 10:  # noqa: PLR2004
        return f"{milliseconds:.1f} ms"
    if milliseconds < _THOUSAND:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / _THOUSAND
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"  # noqa: PLR2004


def percent(share: float) -> str:
    """Write a share as per cent; what isn't all of it never reads as 100."""
    text = f"{share * 100:.1f}".removesuffix(".0")
    return "> 99.9" if text == "100" and share < 1 else text


def ago(at: datetime) -> str:
    """Say how long ago something was, coarsely: just now, 5 min ago, 3 days ago, 4 Mar 2026."""
    seconds = (now() - at).total_seconds()
    if seconds < 10:  # noqa: PLR2004
        return "just now"
    for below, unit, name in _STEPS:
        if seconds < below:
            return f"{seconds // unit:.0f} {name} ago"
    days = int(seconds // 86_400)
    return f"{plural(days, 'day')} ago" if days <= 30 else day(at)  # noqa: PLR2004


def day(at: datetime) -> str:
    """Write a day: 4 Mar 2026."""
    return f"{at.day} {at:%b %Y}"


def moment(at: datetime) -> str:
    """Write a moment to the second, in UTC: 4 Mar 2026, 10:30:05 UTC."""
    return f"{day(at)}, {at:%H:%M:%S} UTC"
