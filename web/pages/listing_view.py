"""Everything that the page of one algorithm shows, read at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request

from billing import pricing
from billing.figures import Figures, figures_of, wallet_balance
from catalog import queries
from catalog.models import Algorithm, Version, VersionState
from catalog.names import Selector
from catalog.queries import Listing, Stars
from core.accounts.actor import Actor
from core.accounts.queries import keys_of
from core.hardware import PROFILES
from execution.calls import NESTED_BUDGET
from execution.languages import registry
from web.pages.samples import Shown, sample_input, sample_output
from web.pages.scaling_view import ScalingView, read_scaling
from web.pages.snippets import Snippet, Snippets
from web.readme import readme_html
from web.state import State

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class ListingView:
    """What the template of an algorithm's page finds."""

    listing: Listing
    stars: Stars
    given: int
    figures: Figures
    language: str
    readme: Markup
    sample: Shown | None
    output: Shown | None
    snippets: Sequence[Snippet]
    key_label: str
    balance: int
    owns: bool
    # What its author sees of its replicas.
    scaling: ScalingView | None

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm."""
        return self.listing.algorithm

    @property
    def version(self) -> Version | None:
        """The version that is shown."""
        return self.listing.version

    @property
    def category(self) -> str:
        """The category's label."""
        return queries.LABELS[self.algorithm.category]

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"/algorithms/{self.listing.owner}/{self.algorithm.name}"

    @property
    def is_newest(self) -> bool:
        """Whether the shown version is the one that callers get who name none."""
        return self.version is not None and self.version.id == self.algorithm.live_version_id

    @property
    def is_callable(self) -> bool:
        """Whether the shown version can be called."""
        return self.version is not None and self.version.state is VersionState.LIVE

    @property
    def hardware(self) -> str:
        """What the shown version runs on: its profile in words."""
        if self.version is None:
            return ""
        # How much memory it has is told beside it.
        return PROFILES[self.version.hardware].words.rpartition(", ")[0]

    @property
    def rate(self) -> int:
        """What a second of compute costs, in microcredits."""
        return self.version.compute_rate * 1000 if self.version is not None else 0

    @property
    def most(self) -> int:
        """The most that a run from the page can cost, with what it calls, in microcredits."""
        if self.version is None:
            return 0
        nested = NESTED_BUDGET if self.version.calls_others else 0
        alone = pricing.most(
            royalty=self.version.royalty, rate=self.version.compute_rate, timeout_s=TIMEOUT_S
        )
        return alone + nested

    def canonical(self, path: str) -> str | None:
        """Give the address to go to where the names were written in another case."""
        return self.address if path.rstrip("/") != self.address else None


async def read(request: Request[State], actor: Actor, version: str | None = None) -> ListingView:
    """Read the page of the algorithm that the address names. Raises NotFound."""
    parts = request.path_params
    selector = Selector.parse(
        version if version is not None else request.query_params.get("version", "")
    )
    async with request.state["sessions"]() as session:
        listing = await queries.listing(session, actor, parts["owner"], parts["name"], selector)
        algorithm_id = listing.algorithm.id
        stars = await queries.stars_of(session, algorithm_id)
        given = await queries.given_stars(session, actor, algorithm_id)
        figures = await figures_of(session, algorithm_id)
        scaling = None
        if listing.version is not None and actor.owns(listing.algorithm.owner_id):
            scaling = await read_scaling(session, listing.version)
        key_label, balance = "", 0
        if actor.account_id is not None:
            balance = await wallet_balance(session, actor.account_id)
            keys = await keys_of(session, actor.account_id)
            key_label = next((key.label for key in keys if key.revoked_at is None), "")
    shown = listing.version
    sample = sample_input(shown) if shown is not None else None
    site = request.state["settings"].url
    reference = f"{listing.full_name}/{shown.number}" if shown is not None else ""
    return ListingView(
        listing=listing,
        stars=stars,
        given=given,
        figures=figures,
        # A runtime may be asked for its version, which starts a process once.
        language=await asyncio.to_thread(registry.words, shown.language) if shown else "",
        readme=readme_html(shown.readme if shown is not None else "", listing.algorithm.name),
        sample=sample,
        output=sample_output(shown) if shown is not None else None,
        snippets=Snippets(
            site, reference, sample.kind if sample else "json", sample.data if sample else b'""'
        ).all(),
        key_label=key_label,
        balance=balance,
        owns=actor.owns(listing.algorithm.owner_id),
        scaling=scaling,
    )
