"""Where the level of a series of numbers changes for good."""

import math
from typing import Any

import numpy as np
import ruptures

MAX_VALUES = 20_000
NOISE_OF_DIFFERENCES = 1.4826 / math.sqrt(2)


class InputError(ValueError):
    """The input is not what this algorithm takes."""


def apply(input: Any) -> dict[str, Any]:
    """The positions at which a new level begins, and the levels between them."""
    options = input if isinstance(input, dict) else {"values": input}
    values = values_in(options)
    shortest = options.get("min_length", 3)
    if isinstance(shortest, bool) or not isinstance(shortest, int) or shortest < 1:
        raise InputError('"min_length" must be a whole number above 0.')
    if 2 * shortest > len(values):
        raise InputError(f'"min_length" {shortest} is too long for {len(values)} values.')
    sensitivity = options.get("sensitivity", 1.0)
    if isinstance(sensitivity, bool) or not isinstance(sensitivity, int | float):
        raise InputError('"sensitivity" must be a number.')
    if not 0.05 <= sensitivity <= 20:
        raise InputError('"sensitivity" must be from 0.05 to 20.')

    ends = change_ends(values, shortest, 3 * math.log(len(values)) / sensitivity)
    segments = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        part = values[start:end]
        segments.append(
            {
                "start": start,
                "end": end,
                "mean": round(float(part.mean()), 6),
                "deviation": round(float(part.std()), 6),
            }
        )
    return {"change_points": ends[:-1], "segments": segments}


def values_in(options: dict[str, Any]) -> np.ndarray:
    """The series as numbers."""
    if "values" not in options:
        raise InputError('The input has no "values".')
    values = options["values"]
    if not isinstance(values, list):
        raise InputError('"values" must be a list of numbers.')
    if len(values) < 4:
        raise InputError('"values" needs at least 4 numbers.')
    if len(values) > MAX_VALUES:
        raise InputError(f'"values" has more than {MAX_VALUES} numbers.')
    for position, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f'"values" holds something else than a number at {position}.')
        if not math.isfinite(value) or abs(value) > 1e150:
            raise InputError(f'"values" holds a number without bounds at {position}.')
    return np.array(values, dtype=np.float64)


def change_ends(values: np.ndarray, shortest: int, penalty: float) -> list[int]:
    """The end of every segment, the last one being the end of the series.

    The series is measured in units of its own noise first, told from the differences of
    neighbours, so that one penalty suits seconds and millions alike.
    """
    noise = float(np.median(np.abs(np.diff(values)))) * NOISE_OF_DIFFERENCES
    spread = float(values.std())
    if spread == 0:
        return [len(values)]
    # Most neighbours being equal says nothing about noise.
    scaled = (values - values.mean()) / max(noise, spread / 20)
    search = ruptures.KernelCPD(kernel="linear", min_size=shortest).fit(scaled.reshape(-1, 1))
    return [int(end) for end in search.predict(pen=penalty)]
