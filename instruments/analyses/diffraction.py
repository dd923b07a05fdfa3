"""From a raw powder pattern to the weight fraction of the intended phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymatgen.core import Structure

from campaigns.errors import StepError
from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext, column
from instruments.analyses.profile_fit import ProfileFit, Scan, fit_profile
from instruments.phases import ReferencePhase, impurities, reference, reference_phase

METRIC = "phase_fraction"
FEWEST = 300  # points of a usable scan
ACCURACY = 0.005  # of a weight fraction, beyond what the fit itself can know (texture, structure model)
CLEAR = 5.0  # standard uncertainties of the clearest phase, below which a pattern shows nothing
WORST_RESIDUAL, WORST_GOODNESS = 0.30, 4.0
SPIKE = 3.0  # times the higher neighbour
FLAT_TOP = 3  # neighbouring points at exactly the highest count


def phase_fraction(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    """Return the metric ``phase_fraction`` [1]: weight of the intended phase over that of all crystalline phases.

    Args:
        data: ``two_theta`` [deg] and ``counts``, each n.
        context: the intended structure; likely impurities follow from its elements.

    Raises:
        StepError: a key is missing, or the campaign has no structure.
    """
    if context.structure is None:
        raise StepError(
            f"no crystal structure for {context.material!r}; use a pool, or an analysis that names its own target, "
            "such as instruments.analyses.calcination:phase_fraction"
        )
    return quantify(data, candidates(context.structure))


def candidates(structure: Structure) -> list[ReferencePhase]:
    """Return the intended phase, called ``target``, and then the impurities that its elements allow."""
    elements = [str(element) for element in structure.composition.elements]
    return [reference("target", structure), *map(reference_phase, impurities(elements))]


def quantify(data: Mapping[str, Any], phases: Sequence[ReferencePhase]) -> Measurement:
    """Return the weight fraction of the first of ``phases``; bad raw data give NaN and flags.

    Raises:
        StepError: ``two_theta`` or ``counts`` is missing.
    """
    two_theta, counts = column(data, "two_theta"), column(data, "counts")
    flags = _raw_flags(two_theta, counts)
    if flags:
        return _measurement(float("nan"), float("nan"), flags)
    fit = fit_profile(Scan(two_theta, counts), phases)
    value = float(fit.fractions[0])
    return _measurement(value, float(np.hypot(fit.sd, ACCURACY)), _fit_flags(fit))


def _measurement(value: float, sd: float, flags: tuple[str, ...]) -> Measurement:
    return Measurement({METRIC: MetricValue(value, sd, "1")}, flags)


def _raw_flags(two_theta: np.ndarray, counts: np.ndarray) -> tuple[str, ...]:
    if len(two_theta) != len(counts) or len(counts) < FEWEST:
        return (f"too few points: {len(counts)} counts at {len(two_theta)} angles, needs {FEWEST} of each",)
    if not (np.isfinite(counts).all() and np.isfinite(two_theta).all()):
        return (f"not finite: {int((~np.isfinite(counts)).sum())} of {len(counts)} counts",)
    steps = np.diff(two_theta)
    if steps.min() <= 0 or np.ptp(steps) > 0.01 * steps.mean():
        return ("angles do not rise in equal steps",)
    if counts.min() < 0:
        return (f"negative counts: lowest {counts.min():g}",)
    if np.ptp(counts) == 0:
        return (f"dead detector: {counts[0]:g} counts at every angle",)
    if spikes := _spikes(counts):
        return (f"spikes: {spikes} counts far above both neighbours",)
    if _flat_top(counts):
        return (f"saturated detector: flat top at {counts.max():g} counts",)
    return ()


def _spikes(counts: np.ndarray) -> int:
    """Return how many points no reflection explains, since those are at least two steps wide."""
    beside = np.maximum(counts[:-2], counts[2:])
    return int((counts[1:-1] > SPIKE * beside + 10 * np.sqrt(beside + 10)).sum())


def _flat_top(counts: np.ndarray) -> bool:
    """Return whether neighbouring points share the highest count, which Poisson noise makes next to impossible."""
    top = (counts == counts.max()).astype(int)
    return bool(counts.max() > 0 and np.convolve(top, np.ones(FLAT_TOP, dtype=int)).max() >= FLAT_TOP)


def _fit_flags(fit: ProfileFit) -> tuple[str, ...]:
    flags = []
    if fit.signal < CLEAR:
        flags.append("failed fit: no reflection of any expected phase")
    if fit.residual > WORST_RESIDUAL and fit.goodness > WORST_GOODNESS:
        flags.append(f"failed fit: R_wp {fit.residual:.2f}, reduced chi squared {fit.goodness:.1f}")
    return tuple(flags)
