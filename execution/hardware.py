"""What hardware versions can be published for in this cluster, and what it costs here.

The worker writes it, from the operator's setting and the machines that there are; whoever
publishes and every page reads it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from core.errors import BuildFailed
from core.hardware import DEFAULT, PROFILES, Node, Profile
from execution.models import Hardware

_UNOFFERED = "the operator does not offer it"
_UNKNOWN = "the cluster has not told yet what it has"


@dataclass(frozen=True, slots=True)
class Offer:
    """A profile, its rate here in microcredits a millisecond, and why it can't be had, if so."""

    profile: Profile
    rate: int
    lacks: str = ""


def offers_of(set_up: Iterable[Profile], nodes: Sequence[Node]) -> tuple[Offer, ...]:
    """Tell of every profile whether it can be had, with these settings and machines. Pure."""
    rates = {profile.name: profile.rate for profile in set_up}
    return tuple(
        Offer(
            profile,
            rates.get(profile.name, profile.rate),
            profile.lacking(nodes) if profile.name in rates else _UNOFFERED,
        )
        for profile in PROFILES.values()
    )


async def offers(session: AsyncSession) -> tuple[Offer, ...]:
    """Give what can be had here, the default at least."""
    rows = {row.name: row for row in await session.scalars(select(Hardware))}
    found = (_offer(profile, rows.get(profile.name)) for profile in PROFILES.values())
    return tuple(one for one in found if not one.lacks)


async def chosen(session: AsyncSession, name: str) -> Offer:
    """Give the offer that a version is published for. Raises BuildFailed where it isn't one."""
    profile = PROFILES[name]
    offer = _offer(profile, await session.get(Hardware, name))
    if offer.lacks:
        names = ", ".join(one.profile.name for one in await offers(session))
        raise BuildFailed(
            f"algorium.toml: the hardware {name} ({profile.words}) can't be had here: "
            f"{offer.lacks}. On offer: {names}."
        )
    return offer


async def write_offers(session: AsyncSession, found: Sequence[Offer]) -> None:
    """Write what is on offer, where that isn't what is written already."""
    rows = {row.name: (row.rate, row.lacks) for row in await session.scalars(select(Hardware))}
    told = {one.profile.name: (one.rate, one.lacks) for one in found}
    if rows == told:
        return
    fresh = insert(Hardware).values(
        [{"name": name, "rate": rate, "lacks": lacks} for name, (rate, lacks) in told.items()]
    )
    await session.execute(
        fresh.on_conflict_do_update(
            index_elements=["name"],
            set_={"rate": fresh.excluded.rate, "lacks": fresh.excluded.lacks},
        )
    )


def _offer(profile: Profile, row: Hardware | None) -> Offer:
    if row is None:
        return Offer(profile, profile.rate, "" if profile == DEFAULT else _UNKNOWN)
    return Offer(profile, row.rate, row.lacks)
