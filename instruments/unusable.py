"""Raw data that no analysis can get a number from: what is not finite, and arrays of a detector that is dead.

They are asked about only where an analysis gave no number. What samples had too from which numbers came, such as
padding by NaN or a constant dark frame, is so by nature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.staleness import FEWEST, OF_JOB, is_data

Values = Mapping[str, Any]
"""Signal to its value."""


def not_finite(now: Values, good: Sequence[Values]) -> Iterator[str]:
    """Yield which signals have values that are not finite.

    Args:
        now: what a station gave for a sample.
        good: what it gave for samples from which numbers came.
    """
    for name, numbers in _numbers(now).items():
        wrong = int((~np.isfinite(numbers)).sum())
        if wrong and all(np.isfinite(_numbers(each).get(name, numbers[:0])).all() for each in good):
            yield f"unusable data: {wrong} of {numbers.size} values of {name} are not finite"


def dead(now: Values, good: Sequence[Values]) -> Iterator[str]:
    """Yield which arrays are one and the same number throughout, as a dead detector gives.

    An array that is so beside others that vary is one only where it varied itself for samples from which numbers came.

    Args:
        now: what a station gave for a sample.
        good: what it gave for samples from which numbers came.
    """
    arrays = {name: numbers for name, numbers in _numbers(now).items() if numbers.size >= FEWEST}
    alone = not any(is_data(numbers) for numbers in arrays.values())
    for name, numbers in arrays.items():
        before = [each[name] for each in map(_numbers, good) if name in each]
        varied = all(np.ptp(each) != 0 for each in before) if before else alone
        if np.ptp(numbers) == 0 and varied:
            yield f"dead detector: {name} is {numbers.flat[0]:g} at all {numbers.size} points"


def _numbers(values: Values) -> dict[str, NDArray[np.float64]]:
    """Return signal to its numbers, flat; without what is none."""
    found = {}
    for name, value in values.items():
        if name in OF_JOB or isinstance(value, str):
            continue
        try:
            found[name] = np.asarray(value, dtype=float).ravel()
        except (TypeError, ValueError):  # texts, or rows of different lengths
            continue
    return found
