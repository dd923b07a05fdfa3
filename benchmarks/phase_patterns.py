"""Synthetic powder patterns of known mixtures, made without any code of the analysis that is tried on them.

Sticks by pymatgen's ``XRDCalculator``; Voigt profiles (a Gaussian instrument after Caglioti, Lorentzian widths of size
and strain), texture after March and Dollase on the whole form of each plane, thermal motion, a lattice and a size of
its own for each phase, a wrong zero, and counts by Poisson on a background of polynomial, air scatter and a hump.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from scipy.special import voigt_profile

from benchmarks.phase_crystals import crystal

FloatArray = NDArray[np.float64]

COPPER = ((1.540593, 2 / 3), (1.544427, 1 / 3))
"""Wavelength [Å] and share of each line."""
_INSTRUMENT = (0.0070, -0.0045, 0.0055)  # U, V, W [deg^2]
_AXES = ((0, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1))


@dataclass(frozen=True, slots=True)
class Grain:
    """What one phase of a powder is like.

    Attributes:
        size: of the crystallites [nm].
        microstrain: relative spread of the lattice.
        march: parameter r of March and Dollase; 1 without texture.
        axis: Miller indices of the planes that lie flat.
        stretch: relative change of a, b and c.
        motion: displacement parameter B of all atoms [Å^2].
    """

    size: float = 80.0
    microstrain: float = 0.0005
    march: float = 1.0
    axis: tuple[int, int, int] = (0, 0, 1)
    stretch: tuple[float, float, float] = (0.0, 0.0, 0.0)
    motion: float = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """How a powder is measured.

    Attributes:
        peak, level: counts of the highest point above the background, and of the background at mid-scan.
        slope, air, hump: of the background, relative to its level; centre and width of the hump [deg] follow.
        zero: error of the angles [deg].
        lines: wavelength [Å] and share of each line.
    """

    peak: float = 8000.0
    level: float = 300.0
    slope: tuple[float, float, float] = (0.0, 0.0, 0.0)
    air: float = 0.3
    hump: float = 0.3
    centre: float = 24.0
    spread: float = 5.0
    zero: float = 0.0
    lines: tuple[tuple[float, float], ...] = field(default=COPPER)


def pattern(grid: FloatArray, weights: Mapping[str, float], grains: Mapping[str, Grain], scene: Scene) -> FloatArray:
    """Return the expected counts, n, of a mixture.

    Args:
        grid: 2 theta [deg], n.
        weights: phase to its weight fraction.
        grains: phase to what its crystallites are like.
        scene: how it is measured.
    """
    peaks = np.zeros_like(grid)
    for name, weight in weights.items():
        structure = crystal(name)
        mass = float(structure.composition.weight) * structure.volume
        peaks += weight / mass * _phase(grid, name, grains.get(name, Grain()), scene)
    return np.asarray(background(grid, scene) + peaks * scene.peak / peaks.max())


def background(grid: FloatArray, scene: Scene) -> FloatArray:
    """Return the counts under the reflections, n."""
    x = np.interp(grid, [grid[0], grid[-1]], [-1.0, 1.0])
    polynomial = 1 + sum(c * x**n for n, c in enumerate(scene.slope, 1))
    hump = scene.hump * np.exp(-0.5 * ((grid - scene.centre) / scene.spread) ** 2)
    return np.asarray(scene.level * (np.maximum(polynomial, 0.1) + scene.air * 20 / grid + hump))


def random_grain(rng: np.random.Generator, *, textured: bool) -> Grain:
    """Draw a powder's grains."""
    march, axis = (float(rng.uniform(0.6, 1.0)), _AXES[rng.integers(len(_AXES))]) if textured else (1.0, _AXES[0])
    a, c = rng.uniform(-0.004, 0.004, 2)
    return Grain(
        size=float(np.exp(rng.uniform(np.log(15), np.log(250)))),
        microstrain=float(rng.uniform(0, 0.002)),
        march=march,
        axis=axis,
        stretch=(a, a, c),
        motion=float(rng.uniform(0.2, 1.0)),
    )


def random_scene(rng: np.random.Generator) -> Scene:
    """Draw a diffractometer's day."""
    peak = float(np.exp(rng.uniform(np.log(2000), np.log(40000))))
    return Scene(
        peak=peak,
        level=peak * float(np.exp(rng.uniform(np.log(0.01), np.log(0.2)))),
        slope=tuple(rng.normal(0, [0.15, 0.08, 0.05])),
        air=float(rng.uniform(0, 1)),
        hump=float(rng.uniform(0, 1)),
        centre=float(rng.uniform(18, 32)),
        spread=float(rng.uniform(3.5, 8)),
        zero=float(rng.uniform(-0.1, 0.1)),
    )


def _phase(grid: FloatArray, name: str, grain: Grain, scene: Scene) -> FloatArray:
    """Return the pattern of one phase, absolute for one cell of its ideal lattice, n."""
    total = np.zeros_like(grid)
    stretch = _allowed(name, grain.stretch)
    for wavelength, share in scene.lines:
        angles, areas, forms = _sticks(name, wavelength, stretch, grain.motion, float(grid[-1]) + 2)
        textured = areas * np.array([_texture(name, form, grain) for form in forms])
        for angle, area in zip(angles, share * textured, strict=True):
            theta = np.radians(angle / 2)
            u, v, w = _INSTRUMENT
            sigma = np.sqrt(u * np.tan(theta) ** 2 + v * np.tan(theta) + w) / 2.3548
            size = np.degrees(0.9 * wavelength / (10 * grain.size * np.cos(theta)))
            gamma = (size + np.degrees(4 * grain.microstrain * np.tan(theta))) / 2
            total += area * voigt_profile(grid - angle - scene.zero, sigma, gamma)
    return total


def _allowed(name: str, stretch: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the change of the lattice that keeps it cubic where it is."""
    lattice = crystal(name).lattice
    cubic = np.ptp(lattice.abc) < 1e-6 and np.allclose(lattice.angles, 90)
    return (stretch[0],) * 3 if cubic else stretch


@lru_cache(maxsize=4096)
def _sticks(
    name: str, wavelength: float, stretch: tuple[float, float, float], motion: float, end: float
) -> tuple[FloatArray, FloatArray, list[tuple[tuple[int, ...], ...]]]:
    structure = crystal(name)
    edges = np.multiply(structure.lattice.abc, np.add(1, stretch))
    lattice = Lattice.from_parameters(*edges, *structure.lattice.angles)
    moved = Structure(lattice, structure.species_and_occu, structure.frac_coords)
    factors = {element.symbol: motion for element in structure.composition.elements}
    calculator = XRDCalculator(wavelength=wavelength, debye_waller_factors=factors)
    found = calculator.get_pattern(moved, scaled=False, two_theta_range=(2, min(end, 178)))
    strong = [i for i, y in enumerate(found.y) if y > 1e-4 * max(found.y)]
    forms = [tuple((*f["hkl"][:2], f["hkl"][-1]) for f in found.hkls[i]) for i in strong]
    return np.array(found.x)[strong], np.array(found.y)[strong], forms


@lru_cache(maxsize=64)
def _operations(name: str) -> FloatArray:
    """Return rotations of the point group in fractional coordinates, g x 3 x 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces that it will raise
        found = SpacegroupAnalyzer(crystal(name), symprec=0.01).get_point_group_operations(cartesian=False)
    return np.array([operation.rotation_matrix for operation in found])


def _texture(name: str, form: tuple[tuple[int, ...], ...], grain: Grain) -> float:
    """Return the factor of intensity of one line, by the mean over all planes that reflect there."""
    if grain.march == 1.0:
        return 1.0
    reciprocal = crystal(name).lattice.reciprocal_lattice.matrix
    planes = np.concatenate([np.array(hkl) @ _operations(name) for hkl in form]) @ reciprocal
    axis = np.array(grain.axis) @ reciprocal
    cosines = (planes @ axis) ** 2 / (planes**2).sum(axis=1) / (axis @ axis)
    return float(((grain.march**2 * cosines + (1 - cosines) / grain.march) ** -1.5).mean())
