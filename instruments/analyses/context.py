"""What an analysis is told about the sample, beside the raw data of the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import StepError

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisContext:
    """The material under test.

    Attributes:
        material: id of the pool entry, or None in a campaign without a pool.
        structure: intended crystal structure, or None when the campaign has none.
        units: signal to the unit that the instrument states; those that the analysis declares to read by
            ``signal_units.reads`` are converted already.
    """

    material: str | None = None
    structure: Structure | None = None
    units: Mapping[str, str] = field(default_factory=dict)


def column(data: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    """Return ``data[key]`` as a flat float array.

    Raises:
        StepError: the key is missing, or its value is no array of numbers.
    """
    if key not in data:
        raise StepError(
            f"the event has no {key!r}; got {sorted(data)}; read the instrument that measures it in this step"
        )
    try:
        return np.asarray(data[key], dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise StepError(
            f"{key!r} holds no numbers: got {type(data[key]).__name__}; allowed: an array of floats"
        ) from error


def standard_error(readings: NDArray[np.float64]) -> float:
    """Return the standard error of the mean of readings of shape (n,) (JCGM 100:2008, GUM, 4.2.3).

    It is 0 of one reading, and of readings that differ by no more than rounding, which tell nothing of an uncertainty.
    """
    if readings.size < 2 or np.ptp(readings) <= 8.0 * np.spacing(np.abs(readings).max()):
        return 0.0
    return float(readings.std(ddof=1) / np.sqrt(readings.size))
