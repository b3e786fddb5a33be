"""Who runs how much in a pool, and who may run one more."""

from collections import Counter

from execution.bounds import Bounds
from execution.outcome import Artefact

# A payer with fewer runs than this may always take what others are kept from.
FEW = 2


class Shares:
    """Counts runs under way by payer and version, and keeps room for those who run little.

    The last quarter of everything (of runs, of a version's workers, of memory) goes only to
    payers who run next to nothing, so that one who fills the rest doesn't make others wait for
    the end of a call. Runs that call others never take all: `Bounds` keeps some for each depth.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._running = 0
        self._memory_mib = 0
        self._of_payer: Counter[str] = Counter()
        self._of_version: Counter[Artefact] = Counter()
        self._calling = 0
        self._calling_mib = 0

    def of(self, payer: str) -> int:
        """How many runs a payer has under way."""
        return self._of_payer[payer]

    def may_run(self, artefact: Artefact, payer: str, depth: int) -> bool:
        """Whether one more run may begin, room given."""
        return (
            self._running < self._bounds.running
            and self._may_call(artefact, depth)
            and (depth > 0 or self._of_payer[payer] < FEW or self._leaves_enough(artefact))
        )

    def enter(self, artefact: Artefact, payer: str) -> None:
        """A run begins."""
        self._count(artefact, payer, 1)

    def leave(self, artefact: Artefact, payer: str) -> None:
        """A run has ended."""
        self._count(artefact, payer, -1)
        if not self._of_payer[payer]:
            del self._of_payer[payer]
        if not self._of_version[artefact]:
            del self._of_version[artefact]

    def _count(self, artefact: Artefact, payer: str, more: int) -> None:
        self._running += more
        self._memory_mib += more * artefact.memory_mib
        self._of_payer[payer] += more
        self._of_version[artefact] += more
        if artefact.calls_others:
            self._calling += more
            self._calling_mib += more * artefact.memory_mib

    def _may_call(self, artefact: Artefact, depth: int) -> bool:
        """Whether a run that may call others leaves enough for what those at its depth call."""
        if not artefact.calls_others:
            return True
        slots, memory_mib = self._bounds.of_callers(depth)
        fits = not self._calling or self._calling_mib + artefact.memory_mib <= memory_mib
        return self._calling < slots and fits

    def _leaves_enough(self, artefact: Artefact) -> bool:
        bounds = self._bounds
        return (
            self._running < bounds.running - bounds.running // 4
            and self._of_version[artefact] < bounds.per_version - bounds.per_version // 4
            and self._memory_mib + artefact.memory_mib <= bounds.memory_mib * 3 // 4
        )
