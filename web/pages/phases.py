"""Where the time of one run went, as a bar. Pure."""

from dataclasses import dataclass

from execution.calls import Answer

WIDTH = 1000.0


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of a run: its name, its milliseconds, and its place in a bar of 1000."""

    key: str
    label: str
    ms: float
    start: float
    width: float


def phases_of(answer: Answer) -> list[Phase]:
    """Cut a run into its stretches, those that took any time; what is left over is overhead."""
    outcome = answer.outcome
    parts = [
        ("queued", "queued", outcome.queued_ms),
        ("started", "sandbox started", outcome.started_ms),
        ("loaded", "loaded", outcome.loaded_ms),
        ("ran", "ran", outcome.ran_ms),
    ]
    known = sum(ms for _, _, ms in parts)
    parts.append(("overhead", "overhead", max(0.0, answer.duration_ms - known)))
    whole = sum(ms for _, _, ms in parts) or 1.0
    phases: list[Phase] = []
    start = 0.0
    for key, label, ms in parts:
        if ms <= 0:
            continue
        width = ms / whole * WIDTH
        phases.append(Phase(key, label, ms, round(start, 1), round(width, 1)))
        start += width
    return phases
