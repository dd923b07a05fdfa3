"""The virtual powder diffractometer: raw counts of a mixture of phases under copper radiation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import LabError
from campaigns.values import Scalar
from instruments.analyses.peak_shape import Shape, profile
from instruments.analyses.reference_phases import RANGE, ReferencePhase, reference, reference_phase
from simulators.durations import POINTS
from simulators.materials import Material
from simulators.synthesis import TARGET, Sample

FloatArray = NDArray[np.float64]

IMPURITY_SIZE = 60.0  # nm
TEXTURE = 0.04  # relative spread of the reflections of a phase between mounts
DISPLACEMENT = 0.06  # mm, spread between mounts
BRIGHTNESS = 90.0  # counts/s for intensity 1 and Z M V 1 g/mol Å^3
DEAD_TIME = 2e-6  # s
DEFAULT_COUNT_TIME = 1.0  # s per point


def diffract(
    material: Material, sample: Sample, recipe: Mapping[str, Scalar], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return 2 theta [deg] and counts, each n, of one scan.

    Weight fractions become intensities by W / (Z M V) (Hill, Howard, J. Appl. Cryst. 20, 467, 1987); each mount of a
    powder weakens or strengthens its reflections a little; counts are Poisson, thinned by the detector's dead time.

    Args:
        material: what the target phase is.
        sample: weight fractions and crystallite size.
        recipe: count_time [s per point], 1 s unless given.
        rng: draws the mount (texture, displacement) and the counts.

    Raises:
        LabError: the counting time is no positive number, or a phase of the sample is unknown.
    """
    seconds = recipe.get("count_time", DEFAULT_COUNT_TIME)
    if isinstance(seconds, str) or not 0 < seconds < math.inf:
        raise LabError(f"count_time is {seconds!r}; allowed: a positive number of seconds")
    grid = np.linspace(*RANGE, POINTS)
    rate = expected_rate(grid, material, sample, rng)
    seen = rate / (1 + rate * DEAD_TIME)
    return grid, rng.poisson(seen * seconds).astype(float)


def expected_rate(grid: FloatArray, material: Material, sample: Sample, rng: np.random.Generator) -> FloatArray:
    """Return the mean rate [counts/s], n, of one mount of a sample."""
    displacement = float(rng.normal(0.0, DISPLACEMENT))
    rate = _background(grid)
    for name, fraction in sorted(sample.fractions.items()):
        phase = reference(material.id, material.structure) if name == TARGET else reference_phase(name)
        size = sample.crystallite if name == TARGET else IMPURITY_SIZE
        mounted = replace(phase, intensity=phase.intensity * _texture(phase, rng))
        shape = Shape(displacement, size, lorentzian=0.5)
        rate = rate + BRIGHTNESS * fraction / phase.zmv * profile(grid, mounted, shape)
    return rate


def _texture(phase: ReferencePhase, rng: np.random.Generator) -> FloatArray:
    """Return factors near 1, k: what preferred orientation and coarse grains leave of the ideal intensities."""
    return rng.lognormal(0.0, TEXTURE, len(phase.two_theta))


def _background(grid: FloatArray) -> FloatArray:
    """Return air scatter, fluorescence and the hump of a glass holder [counts/s], n."""
    return 25 + 900 / grid + 30 * np.exp(-0.5 * ((grid - 24) / 7) ** 2)
