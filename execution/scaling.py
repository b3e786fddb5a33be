"""When a version gets replicas of its own, how many, and when it gives them back. Pure.

A version on the default hardware runs in the pool. One that is busy for a while is promoted: it
gets an application of its own, with as many replicas as its calls need. It grows as soon as it
needs more, shrinks only when it has needed fewer for a while, and goes back to the pool when it
has hardly been called for longer. Calls wait for none of this.

On other hardware there is no pool: the first call that waits starts a replica, and idleness
takes the last one away. Replicas that an author reserved are there at all times.
"""

import math
from dataclasses import dataclass, replace

# How long a version has to be busy before it is promoted: a burst that the pool can take isn't.
BUSY_S = 5.0
# How long fewer replicas must have been enough before they are taken away.
LESS_S = 30.0
# How long a version has to be idle before it goes back to the pool.
IDLE_S = 120.0
# Below this many calls under way on average it is idle.
IDLE_BELOW = 0.05


@dataclass(frozen=True, slots=True)
class Rule:
    """An author's setting: how many calls at once one replica is for, the most and least replicas.

    `pooled` tells whether the version also runs in the pool, and can wait for its own there.
    """

    target_ongoing: int = 4
    max_replicas: int = 4
    min_replicas: int = 0
    pooled: bool = True


@dataclass(frozen=True, slots=True)
class Scale:
    """Where one version stands. `replicas` is 0 in the pool; moments are seconds of one clock.

    The three moments are since when it has been busy, has needed fewer replicas than it has,
    and has been idle; None where it hasn't. `enough` is the most it needed since `less_since`.
    """

    replicas: int = 0
    busy_since: float | None = None
    less_since: float | None = None
    enough: int = 0
    idle_since: float | None = None


def step(scale: Scale, rule: Rule, ongoing: float, moment: float) -> Scale:
    """Decide again, `ongoing` being how many calls were under way on average since last time."""
    needed = min(rule.max_replicas, math.ceil(ongoing / rule.target_ongoing))
    needed = max(needed, rule.min_replicas)
    if rule.max_replicas < 1:
        return Scale()
    if scale.replicas == 0:
        return _without(scale, rule, ongoing, needed, moment)
    if ongoing < IDLE_BELOW and rule.min_replicas == 0:
        idle_since = moment if scale.idle_since is None else scale.idle_since
        if moment - idle_since >= IDLE_S:
            return Scale()
        scale = replace(scale, idle_since=idle_since)
    else:
        scale = replace(scale, idle_since=None)
    if needed > scale.replicas:
        return replace(scale, replicas=needed, less_since=None, enough=0)
    return _shrunk(scale, max(1, needed), moment)


def _without(scale: Scale, rule: Rule, ongoing: float, needed: int, moment: float) -> Scale:
    """Decide for a version that has no replicas of its own."""
    if rule.min_replicas > 0 or (ongoing > 0 and not rule.pooled):
        return Scale(replicas=max(1, needed))
    if ongoing < rule.target_ongoing or not rule.pooled:
        return Scale()
    busy_since = moment if scale.busy_since is None else scale.busy_since
    if moment - busy_since >= BUSY_S:
        return Scale(replicas=max(1, needed))
    return Scale(busy_since=busy_since)


def _shrunk(scale: Scale, needed: int, moment: float) -> Scale:
    if needed == scale.replicas:
        return replace(scale, less_since=None, enough=0)
    if scale.less_since is None:
        return replace(scale, less_since=moment, enough=needed)
    enough = max(scale.enough, needed)
    if moment - scale.less_since >= LESS_S:
        return replace(scale, replicas=enough, less_since=None, enough=0)
    return replace(scale, enough=enough)
