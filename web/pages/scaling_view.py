"""How a version is scaled, as its author's page shows it."""

from dataclasses import dataclass, fields

from sqlalchemy.ext.asyncio import AsyncSession

from billing import pricing
from catalog.models import Version
from catalog.scaling import Scaling
from core.errors import MarketError
from core.hardware import PROFILES
from execution.standing import Standing, standings


@dataclass(frozen=True, slots=True)
class ScalingView:
    """What an author sees of a version's replicas; `typed` is what stands in the form."""

    version: Version
    standing: Standing
    typed: dict[str, str]
    refusal: MarketError | None = None

    @property
    def is_pooled(self) -> bool:
        """Whether it also runs in the pool."""
        return PROFILES[self.version.hardware].is_pooled

    @property
    def hour(self) -> int:
        """What one replica that is kept costs an hour, in microcredits."""
        return pricing.reserved(rate=self.version.compute_rate, replicas=1, minutes=60)


async def read_scaling(
    session: AsyncSession,
    version: Version,
) -> ScalingView:
    """Read where a version runs; the form holds what was typed, or else what is set."""
    found = await standings(session, [version.id])
    kept = {one.name: str(getattr(version, one.name)) for one in fields(Scaling)}
    return ScalingView(version, found.get(version.id, Standing()), kept)
