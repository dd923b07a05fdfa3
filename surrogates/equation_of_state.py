"""The lattice that a model prefers when a cell may only breathe: its shape and fractional coordinates stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

_START = (0.97, 1.0, 1.03)
_STEP = 0.04
_LIMITS = (0.8, 1.25)
_CLOSE = 0.002  # of a length: within 0.1 meV/atom of the bottom


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """The lowest point found on an energy–volume curve.

    Attributes:
        scale: lengths relative to the cell that was given.
        energy: eV/atom.
        minimum: whether the energy is higher on both sides; else it still falls where the search ended.
    """

    scale: float
    energy: float
    minimum: bool


def relax_volume(structure: Structure, energy_of: Callable[[Structure], float], evaluations: int) -> Equilibrium:
    """Minimise the energy over the volume by parabolas in V^(-2/3), the variable of Birch, Phys. Rev. 71, 809 (1947).

    Args:
        structure: the cell to scale.
        energy_of: energy of a cell in eV/atom.
        evaluations: how often to ask for an energy at most; five converge voltages to 1 mV if the cell is near.
    """
    curve = {scale: energy_of(scaled(structure, scale)) for scale in _START}
    for _ in range(evaluations - len(_START)):
        scale = _next_scale(curve)
        if min(abs(scale - known) for known in curve) < _CLOSE:
            break
        curve[scale] = energy_of(scaled(structure, scale))
    best = min(curve, key=curve.__getitem__)
    return Equilibrium(best, curve[best], min(curve) < best < max(curve))


def scaled(structure: Structure, scale: float) -> Structure:
    """Return a copy with all lengths multiplied by ``scale``."""
    return Structure(structure.lattice.matrix * scale, structure.species, structure.frac_coords)


def _next_scale(curve: dict[float, float]) -> float:
    """Return the bottom of the parabola through the lowest points, or a step beyond the lowest one at an end."""
    best = min(curve, key=curve.__getitem__)
    if best == min(curve):
        return max(best - _STEP, _LIMITS[0])
    if best == max(curve):
        return min(best + _STEP, _LIMITS[1])
    below = max(scale for scale in curve if scale < best)
    above = min(scale for scale in curve if scale > best)
    curvature, slope, _ = np.polyfit([s**-2 for s in (below, best, above)], [curve[s] for s in (below, best, above)], 2)
    return float((-slope / (2 * curvature)) ** -0.5)
