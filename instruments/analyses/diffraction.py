"""From a raw powder pattern to the weight fraction of the intended phase.

The thresholds of flags and the parts of the stated uncertainty were chosen on the two-phase patterns and the pairs of
phases of ``benchmarks.phases``, and are measured there on others (docs/benchmarks.md, Phase fractions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pymatgen.core import Structure

from campaigns.errors import StepError
from campaigns.radiation import COPPER, Radiation, radiation
from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext, column
from instruments.analyses.phase_identity import distinct
from instruments.analyses.profile_fit import ProfileFit, fit_profile
from instruments.analyses.reference_phases import ReferencePhase, impurities, reference, reference_structure
from instruments.analyses.scan import Refusal, Scan, read_scan
from instruments.analyses.unexplained import Unexplained, unexplained
from instruments.signal_units import reads

METRIC = "phase_fraction"
ACCURACY = 0.003  # of a weight fraction, beyond what the fit itself can know
SCALE_ACCURACY = 0.05  # of the ratio of two phases' weights, for thermal motion, absorption and coarse grains
LIGHT = 4.0  # squared electrons per atomic mass unit of light phases: 3.0 for graphite, 5.2 for MgO, 11 for NiO
CLEAR = 5.0  # standard uncertainties of the clearest phase, below which a pattern shows nothing
MOST_UNEXPLAINED, MOST_MISFIT = 0.005, 0.2  # of the area of all reflections
PASSED = 0.008  # of that area, at most, of foreign phases that no flag tells, since lines of others hide theirs
BROAD = (2.0, 1.5)  # deg; widths of the target's and of other lines, up to which they are no humps
TRACE = 0.02  # of the weight
WORST_SD = 0.15  # of a fraction that is worth learning from
SUSPECT = 1.4  # reduced chi squared, above which the fit may have gone astray
BETTER = 0.8  # of the misfit, that makes another start the right one
SHOWN = 4  # unexplained reflections that are named
SAME_WAVELENGTH = 0.003  # relative; K-alpha-1 and the mean of both lines are one tube
LIMIT_STEP = 5.0  # deg, to which the ends of a scan are rounded, so that reflections are computed once


@dataclass(frozen=True, slots=True)
class Setup:
    """How a scan was made, and what of it counts.

    Attributes:
        radiation: the tube (CuKa, CoKa, MoKa, ...; CuKa1 without K-alpha-2), or a wavelength (0.4133 Å); None: CuKa.
        exclude: ranges of 2 theta [deg] that are left out.
    """

    radiation: str | float | None = None
    exclude: Sequence[tuple[float, float]] = ()


@reads(two_theta="deg", wavelength="angstrom")
def phase_fraction(
    data: Mapping[str, Any],
    context: AnalysisContext,
    radiation: str | float | None = None,
    exclude: Sequence[tuple[float, float]] = (),
) -> Measurement:
    """Return the metric ``phase_fraction`` [1]: weight of the intended phase over that of all crystalline phases.

    Args:
        data: ``two_theta`` [deg] and ``counts``, each n; ``wavelength`` [Å], if there is one, is compared.
        context: the intended structure; likely impurities follow from its elements.
        radiation: the tube (CuKa, CoKa, MoKa, ...; CuKa1 without K-alpha-2), or a wavelength (0.4133 Å); None: CuKa.
        exclude: ranges of 2 theta [deg] that are left out, such as the lines of a sample holder.

    Raises:
        StepError: a key is missing, or the campaign has no structure.
    """
    if context.structure is None:
        raise StepError(
            f"no crystal structure for {context.material!r}; use a pool, or an analysis that names its own target, "
            "such as instruments.analyses.calcination:phase_fraction"
        )
    return quantify(data, context.structure, Setup(radiation, exclude))


def quantify(data: Mapping[str, Any], target: Structure, setup: Setup) -> Measurement:
    """Return the weight fraction of ``target``; bad raw data give NaN and flags.

    Raises:
        StepError: ``two_theta`` or ``counts`` is missing.
        UnitError: the radiation is none.
    """
    scan, rays = read_scan(data, setup.exclude), COPPER if setup.radiation is None else radiation(setup.radiation)
    reason = scan.reason if isinstance(scan, Refusal) else _other_wavelength(data, rays)
    if isinstance(scan, Refusal) or reason:
        return _measurement(float("nan"), float("nan"), (reason,))
    phases = candidates(target, rays, _limits(scan, rays))
    fit, left = _fit(scan, phases)
    flags = _flags(fit, left, phases)
    return _measurement(float(fit.fractions[0]), _sd(fit, _foreign(left, target, flagged=bool(flags))), flags)


def _fit(scan: Scan, phases: Sequence[ReferencePhase]) -> tuple[ProfileFit, Unexplained]:
    """Return the fit, and what it leaves; where something may be wrong, another start is tried."""
    fit = fit_profile(scan, phases)
    left = unexplained(scan, fit)
    suspect = fit.goodness > SUSPECT or _flags(fit, left, phases)
    if suspect and (again := fit_profile(scan, phases, moved=True)).cost < BETTER * fit.cost:
        return again, unexplained(scan, again)
    return fit, left


def candidates(target: Structure, shone: Radiation, limits: tuple[float, float]) -> list[ReferencePhase]:
    """Return the intended phase, called ``target``, and then the impurities that its elements allow.

    Library phases that are the target, or an earlier one of the library, written otherwise, are left out.
    """
    return [reference(name, structure, shone, limits) for name, structure in _named(target.to(fmt="json"))]


@lru_cache(maxsize=1024)
def _named(encoded: str) -> list[tuple[str, Structure]]:
    target = Structure.from_str(encoded, fmt="json")
    elements = [element.symbol for element in target.composition.element_composition.elements]
    return distinct([("target", target), *((name, reference_structure(name)) for name in impurities(elements))])


def _other_wavelength(data: Mapping[str, Any], rays: Radiation) -> str:
    """Return that the instrument names another wavelength than the campaign; empty where it names none."""
    if "wavelength" not in data:
        return ""
    read = float(np.mean(column(data, "wavelength")))
    if any(abs(read - one) <= SAME_WAVELENGTH * one for one in rays.wavelengths):
        return ""
    return (
        f"the instrument's wavelength is {read:g} Å, and the analysis's radiation {rays.name}; set radiation in the "
        "step's analysis_settings"
    )


def _limits(scan: Scan, rays: Radiation) -> tuple[float, float]:
    """Return the angles [deg] within which reflections show, at the higher end by K-beta."""
    sine = np.sin(np.radians(scan.two_theta[-1] / 2)) * rays.wavelengths[0] / (rays.beta or rays.wavelengths[0])
    low, high = scan.two_theta[0] / LIMIT_STEP, 2 * np.degrees(np.arcsin(min(sine, 1.0))) / LIMIT_STEP
    return float(np.floor(low) * LIMIT_STEP), float(np.ceil(high) * LIMIT_STEP)


def _measurement(value: float, sd: float, flags: tuple[str, ...]) -> Measurement:
    return Measurement({METRIC: MetricValue(value, sd, "1")}, flags)


def _sd(fit: ProfileFit, foreign: float) -> float:
    """Return the standard uncertainty of the first fraction.

    It is that of the fit, of the ideal intensities themselves, and of the weight that no phase of the fit may explain.
    """
    fraction = float(fit.fractions[0])
    model, lost = SCALE_ACCURACY * fraction * (1 - fraction), foreign * fraction
    return float(np.sqrt(fit.sd**2 + ACCURACY**2 + model**2 + lost**2))


def _foreign(left: Unexplained, target: Structure, *, flagged: bool) -> float:
    """Return the weight of light phases, over all, that may be in a powder beside those of the fit.

    It is what the reflections show that none explains, and at least the root mean square of what passes without a flag
    (anything from none on). Of a fit that failed, all misfit counts.
    """
    passed = max(PASSED, left.least) / np.sqrt(3)
    area = min(max(left.share + (left.misfit if flagged else 0.0), passed), 1.0)
    light = _scattering(target) / LIGHT * area
    return float(light / (1 - area + light))


def _scattering(structure: Structure) -> float:
    """Return squared electrons over mass, as which all reflections of a phase together grow for its weight."""
    parts = structure.composition.element_composition.items()
    return sum(n * element.Z**2 for element, n in parts) / float(structure.composition.weight)


def _flags(fit: ProfileFit, left: Unexplained, phases: Sequence[ReferencePhase]) -> tuple[str, ...]:
    flags = []
    if unclear := fit.signal < CLEAR:
        flags.append("failed fit: no reflection of any expected phase stands out")
    if left.share > MOST_UNEXPLAINED:
        places = ", ".join(f"{angle:.2f}" for angle in left.two_theta[:SHOWN])
        flags.append(
            f"unexplained reflections: {len(left.areas)}, with {left.share:.0%} of the area of all reflections, the "
            f"largest at 2 theta = {places} deg; is there a phase that is not expected, or was it not "
            f"{phases[0].radiation.name}?"
        )
    if unclear:
        return tuple(flags)
    if left.misfit > MOST_MISFIT:
        flags.append(
            f"failed fit: {left.misfit:.0%} of the area of all reflections is misfit; allowed: {MOST_MISFIT:.0%}"
        )
    if fit.limits:
        flags.append(f"failed fit: {' and '.join(fit.limits)} of the target would be farther off than a fit allows")
    if fit.sd > WORST_SD:
        flags.append(f"failed fit: the fraction is known to {fit.sd:.2f} only; allowed: {WORST_SD:g}")
    return (*flags, *_humps(fit, [phase.name for phase in phases]))


def _humps(fit: ProfileFit, names: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with phases whose lines are so wide that they may be amorphous scatter."""
    limits = np.where(np.arange(len(names)) == 0, *BROAD)
    for name, width, share, limit in zip(names, fit.widths, fit.fractions, limits, strict=True):
        if width > limit and share > TRACE:
            yield f"failed fit: lines of {name} would be {width:.1f} deg wide, as are humps of the background"
