"""What a call costs. Pure: no session, no clock, integers only.

The unit is the microcredit, a millionth of a credit; 10,000 credits are one US dollar.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from core import hardware
from core.errors import BadInput

CREDIT = 1_000_000
CREDITS_PER_USD = 10_000
# Microcredits a millisecond of the default hardware: one credit a second, if not set otherwise.
COMPUTE_RATE = hardware.DEFAULT.rate
_MINUTE_MS = 60_000
AUTHOR_PERCENT = 70
HIGHEST_ROYALTY = 1_000_000 * CREDIT
SIGN_UP_GRANT = 10_000 * CREDIT

_CREDITS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Charge:
    """What one call costs its payer, in microcredits, in two lines."""

    royalty: int
    compute: int

    @property
    def total(self) -> int:
        """What the payer gives."""
        return self.royalty + self.compute

    @property
    def author_share(self) -> int:
        """What the author gets; a fraction lost in the split is never the author's."""
        return self.royalty - self.market_cut

    @property
    def market_cut(self) -> int:
        """What the marketplace keeps of the royalty, rounded down."""
        return self.royalty * (100 - AUTHOR_PERCENT) // 100


FREE = Charge(0, 0)


def charge(*, royalty: int, rate: int, ran_ms: float, limit: int) -> Charge:
    """Price a call that succeeded: compute by the millisecond begun, never above `limit`.

    `rate` is that of the version's hardware, in microcredits a millisecond. `limit` is what was
    held for it; whatever a late stop used beyond it is the house's loss.
    """
    milliseconds = max(0, -int(-ran_ms // 1))
    return Charge(royalty, min(milliseconds * rate, max(0, limit - royalty)))


def most(*, royalty: int, rate: int, timeout_s: float) -> int:
    """Give the most that a call can cost: its royalty, and compute until its deadline."""
    return royalty + int(timeout_s * 1000) * rate


def reserved(*, rate: int, replicas: int, minutes: int = 1) -> int:
    """Give what it costs an author to keep replicas: as much as if a call ran all the time."""
    return rate * _MINUTE_MS * replicas * minutes


def parse_credits(text: str) -> int:
    """Read an amount of credits with up to six decimals, as microcredits. Raises BadInput."""
    if not _CREDITS.fullmatch(text.strip()):
        raise BadInput(f"{text[:40]!r} is no amount of credits; write it as 2 or 0.25.")
    return int(Decimal(text.strip()) * CREDIT)


def credits_text(amount: int, *, least: int = 0) -> str:
    """Write microcredits as credits, with no more decimals than the amount has."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), CREDIT)
    decimals = f"{part:06d}".rstrip("0").ljust(least, "0")
    return f"{sign}{whole:,}{'.' + decimals if decimals else ''}"


def usd_text(amount: int) -> str:
    """Write microcredits as US dollars, with at least two decimals and no idle zeros."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), CREDIT * CREDITS_PER_USD)
    decimals = f"{part:010d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole:,}.{decimals}"
