"""What a version may run on: profiles of hardware, and what a millisecond on each costs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from core.errors import BadSetting

SETTING = "ALGORIUM_HARDWARE"
HIGHEST_RATE = 10**9
_MIB = 1024
# Credits a second are written, microcredits a millisecond are what is counted in.
_RATE_OF_CREDIT = 1000


@dataclass(frozen=True, slots=True)
class Node:
    """What one machine of the cluster has in all."""

    cpus: float
    memory_mib: int
    gpus: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A size of machine that a version runs on. `rate` is microcredits a millisecond.

    `memory_mib` is what a version gets that asks for nothing, `most_mib` the most that it may
    ask for. `gpus` is the share of one GPU.
    """

    name: str
    cpus: int
    memory_mib: int
    most_mib: int
    gpus: float
    rate: int

    @property
    def is_pooled(self) -> bool:
        """Whether versions on it run in the pool; else each has replicas of its own, or none."""
        return self.name == DEFAULT.name

    @property
    def words(self) -> str:
        """The profile as people read it: 2 CPUs, 4 GiB."""
        share = "1 GPU, " if self.gpus == 1 else f"{self.gpus:g} of a GPU, "
        gpu = share if self.gpus else ""
        cpus = "1 CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        return f"{gpu}{cpus}, {self.memory_mib / _MIB:g} GiB"

    def lacking(self, nodes: Iterable[Node]) -> str:
        """Say why no machine of the cluster can run it; nothing where one can."""
        there = list(nodes)
        if self.is_pooled:
            return ""
        if self.gpus and not any(node.gpus >= self.gpus for node in there):
            return "no machine of the cluster has a GPU"
        if not any(self._fits(node) for node in there):
            return f"no machine of the cluster has {self.words}"
        return ""

    def _fits(self, node: Node) -> bool:
        return (
            node.cpus >= self.cpus and node.memory_mib >= self.memory_mib and node.gpus >= self.gpus
        )


# What today's pool gives, at one credit a second.
DEFAULT = Profile("cpu-1", cpus=1, memory_mib=1024, most_mib=8192, gpus=0, rate=1000)
PROFILES = {
    one.name: one
    for one in (
        DEFAULT,
        Profile("cpu-2", cpus=2, memory_mib=4096, most_mib=4096, gpus=0, rate=2000),
        Profile("cpu-4", cpus=4, memory_mib=16_384, most_mib=16_384, gpus=0, rate=4000),
        Profile("gpu-quarter", cpus=1, memory_mib=8192, most_mib=8192, gpus=0.25, rate=4000),
        Profile("gpu", cpus=2, memory_mib=16_384, most_mib=16_384, gpus=1, rate=12_000),
    )
}


def offered(text: str | None) -> tuple[Profile, ...]:
    """Read the setting: the profiles that are on offer, each with the rate that it has here.

    `cpu-1,cpu-2=1.8` offers two, the second at 1.8 credits a second. Without the setting all
    are. The default is always on offer. Raises BadSetting.
    """
    if not text or not text.strip():
        return tuple(PROFILES.values())
    found = {DEFAULT.name: DEFAULT}
    for part in text.split(","):
        name, has_rate, rate = (piece.strip() for piece in part.partition("="))
        if name not in PROFILES:
            raise BadSetting(SETTING, f"{name[:40]!r} is none of {', '.join(PROFILES)}")
        found[name] = PROFILES[name]
        if has_rate:
            found[name] = replace(found[name], rate=_rate(name, rate))
    return tuple(found.values())


def _rate(name: str, text: str) -> int:
    try:
        rate = Decimal(text) * _RATE_OF_CREDIT
    except InvalidOperation:
        rate = Decimal(-1)
    if not rate.is_finite() or rate != int(rate) or not 0 <= rate <= HIGHEST_RATE:
        raise BadSetting(
            SETTING, f"{text[:40]!r} is no rate for {name}; give credits a second, as 1.8 or 12"
        )
    return int(rate)
