"""An analysis that would rather not believe what it sees."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from campaigns.values import Measurement
from instruments.analyses.calcination import phase_fraction
from instruments.analyses.context import AnalysisContext

LEAST = 0.3
"""Phase fraction below which it suspects the data."""


def doubting(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    """Return the phase fraction, with a flag where it is small."""
    found = phase_fraction(data, context)
    return found if found.metrics["phase_fraction"].value >= LEAST else replace(found, flags=("hardly any phase",))
