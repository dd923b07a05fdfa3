"""Simple numbers of a crystal: volume, density, packing, coordination, bond lengths and bond valences."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from pymatgen.analysis.bond_valence import BV_PARAMS
from pymatgen.core import Element, Structure

from surrogates.features import coordination, elements
from surrogates.features.coordination import Bonds, Numbers, bonds
from surrogates.features.elements import HEAVIEST, code_version, property_values
from surrogates.features.embeddings import Embeddings

COLUMNS: Mapping[str, float] = {
    "volume per atom (Å3)": 10.0,
    "volume per atom squared (Å6)": 100.0,
    "density (g/cm3)": 5.0,
    "packing fraction of covalent spheres": 1.0,
    "mean coordination": 6.0,
    "least coordination": 6.0,
    "greatest coordination": 6.0,
    "mean bond length over sum of radii": 1.0,
    "least bond length over sum of radii": 1.0,
    "spread of a site's bond lengths": 0.1,
    "bond-valence deviation": 1.0,
    "share of sites with a bond valence": 1.0,
    "logarithm of the number of sites": 1.0,
}
"""What each column of the vectors holds, and what it is divided by, so that all are of the order of one."""

_DALTON = 1.66053907  # g/cm3 in Da/Å3: CODATA 2018
_SOFTNESS = 0.37  # Å
_WORST = 3.0  # valence units: beyond, a bond valence only says that the cell is squeezed
_FAR = 2.0  # bond length over sum of radii where there is no bond


@dataclass(frozen=True, slots=True)
class PhysicalFeatures:
    """Describe a crystal by simple numbers of its cell and its bonds."""

    @property
    def name(self) -> str:
        """Return the name under which results are cached."""
        return "physical"

    @property
    def version(self) -> str:
        """Return what changes with the code and with the table of elements."""
        return f"pymatgen-{version('pymatgen-core')}-{code_version(__file__, elements.__file__, coordination.__file__)}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[None]:
        """Return the numbers named in ``COLUMNS``, divided by what stands there, n x d.

        Radii are covalent ones; coordination numbers are Hoppe's. The spread is the standard deviation of the lengths
        of a site's bonds over their mean, averaged over the sites. The bond-valence deviation is the root mean square
        distance, up to 3, of a site's bond-valence sum to the element's nearest oxidation state, with the parameters of
        O'Keeffe and Brese, J. Am. Chem. Soc. 113, 3226 (1991). A site counts if there are parameters for it and its
        neighbours and it has a state of the right sign; without any such site the deviation is 0.

        Raises:
            ModelError: a structure holds something that is no known element.
        """
        scale = np.array(list(COLUMNS.values()))
        return Embeddings(None, np.array([_row(structure) / scale for structure in structures], dtype=np.float32))


def _row(structure: Structure) -> Numbers:
    around = bonds(structure)
    numbers, volume = around.numbers, structure.volume
    per_atom = volume / len(numbers)
    density = property_values("atomic mass")[numbers].sum() * _DALTON / volume
    packing = (4 / 3 * np.pi * property_values("covalent radius")[numbers] ** 3).sum() / volume
    coordination = around.coordination()
    counts = (coordination.mean(), coordination.min(), coordination.max())
    return np.array(
        [per_atom, per_atom**2, density, packing, *counts, *_lengths(around), *_valences(around), np.log(len(numbers))]
    )


def _lengths(around: Bonds) -> tuple[float, float, float]:
    """Return mean and least bond length over the sum of the radii, and the spread."""
    if not len(around.first):
        return _FAR, _FAR, 0.0
    radius, weights = property_values("covalent radius")[around.numbers], around.weights()
    relative = around.distance / (radius[around.first] + radius[around.second])
    mean = around.per_site(weights, around.distance)
    variance = around.per_site(weights, (around.distance - mean[around.first]) ** 2)
    spread = np.sqrt(variance) / np.where(mean > 0, mean, 1.0)
    return float(np.average(relative, weights=weights)), float(relative.min()), float(spread.mean())


def _valences(around: Bonds) -> tuple[float, float]:
    """Return the root mean square deviation of the bond valences, and the share of sites that have one."""
    polar = around.anion[around.first] != around.anion[around.second]
    first, second, distance = around.first[polar], around.second[polar], around.distance[polar]
    sites = len(around.numbers)
    lengths = _bond_lengths()[around.numbers[first], around.numbers[second]]
    unknown = np.bincount(first, np.isnan(lengths), sites) > 0
    total = np.bincount(first, np.exp((np.nan_to_num(lengths) - distance) / _SOFTNESS), sites)
    deviation = np.abs(_states()[around.anion.astype(int), around.numbers] - total[:, None]).min(axis=1)
    known = ~unknown & np.isfinite(deviation) & (np.bincount(first, minlength=sites) > 0)
    if not known.any():
        return 0.0, 0.0
    return float(np.sqrt(np.mean(np.minimum(deviation[known], _WORST) ** 2))), float(known.mean())


@functools.cache
def _bond_lengths() -> Numbers:
    """Return the length of a bond of valence one, 104 x 104, Å; NaN where there is no parameter."""
    r, c = (np.full(HEAVIEST + 1, np.nan) for _ in range(2))
    for element, parameters in BV_PARAMS.items():
        r[element.Z], c[element.Z] = parameters["r"], parameters["c"]
    one, other = r[:, None], r[None]
    ours, theirs = c[:, None], c[None]
    return one + other - one * other * (np.sqrt(ours) - np.sqrt(theirs)) ** 2 / (ours * one + theirs * other)


@functools.cache
def _states() -> Numbers:
    """Return the sizes of the oxidation states as cation and as anion, 2 x 104 x s, padded by infinity."""
    found = np.full((2, HEAVIEST + 1, 12), np.inf)
    for number in range(1, HEAVIEST + 1):
        element = Element.from_Z(number)
        for role, sign in enumerate((1, -1)):
            states = [q for q in element.common_oxidation_states if q * sign > 0]
            states = states or [q for q in element.oxidation_states if q * sign > 0]
            found[role, number, : len(states)] = np.abs(states)
    return found
