"""Analyses for campaigns on one nickel-rich layered oxide, which have no pool to take a structure from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.values import Measurement
from instruments.analyses.context import AnalysisContext
from instruments.analyses.diffraction import Setup, quantify
from instruments.analyses.reference_phases import reference_structure
from instruments.signal_units import reads

NICKEL_RICH = "LiNi0.8Mn0.1Co0.1O2"


@reads(two_theta="deg", wavelength="angstrom")
def phase_fraction(
    data: Mapping[str, Any],
    context: AnalysisContext,  # noqa: ARG001  # common signature
    radiation: str | float | None = None,
    exclude: Sequence[tuple[float, float]] = (),
) -> Measurement:
    """Return the metric ``phase_fraction`` [1] of LiNi0.8Mn0.1Co0.1O2, whatever the context names.

    Args:
        data, radiation, exclude: as in ``instruments.analyses.diffraction``.
        context: not needed.

    Raises:
        StepError: ``two_theta`` or ``counts`` is missing.
    """
    return quantify(data, reference_structure(NICKEL_RICH), Setup(radiation, exclude))
