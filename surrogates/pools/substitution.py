"""Substitution of published frameworks: from elements on sites to a checked lithiated cell with its host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from surrogates.pools.chemistry import ANIONS, TETRAHEDRAL, Balance, Charges, assign, balance, bond, states_text
from surrogates.pools.frameworks import UNIT, Framework, Matrix, Skeleton, skeleton
from surrogates.pools.generated_cell_checks import Neighbourhood, charge_faults, faults
from surrogates.pools.pool import PoolEntry

LEAST_REMOVED = 0.5  # a host that keeps more than half of its lithium is no cathode worth a trial

Ion = tuple[str, int]


@dataclass(frozen=True)
class Mix:
    """How metals are ordered over the metal sites of a cell.

    Attributes:
        order: one letter for each metal site, sorted by fractional coordinates; L is lithium.
        metals: elements that the other letters may stand for.
        supercell: cell in units of the framework's primitive one.
    """

    order: str
    metals: tuple[str, ...]
    supercell: Matrix = UNIT

    def choices(self) -> Iterator[dict[str, str]]:
        """Yield letter to element; letters that occur equally often are exchangeable and are given one order only."""
        counts = Counter(self.order.replace("L", ""))
        pick = combinations if len(set(counts.values())) == 1 else permutations
        for elements in pick(self.metals, len(counts)):
            yield {"L": "Li", **dict(zip(sorted(counts), elements, strict=True))}


@dataclass(frozen=True)
class Family:
    """A framework with its tetrahedral centre and anions chosen.

    Attributes:
        framework: the published structure.
        mixes: orderings and elements of the metal sites.
        centre: element on the tetrahedral sites; empty where there are none.
        terminal: element on the fluorine sites.
    """

    framework: Framework
    mixes: tuple[Mix, ...]
    centre: str = ""
    terminal: str = "F"

    def recipes(self) -> Iterator[Recipe]:
        """Yield every substitution of this family."""
        for mix in self.mixes:
            for choice in mix.choices():
                yield Recipe(self, mix, tuple(choice[letter] for letter in mix.order))


@dataclass(frozen=True)
class Recipe:
    """One cell to make: a family with an element on each metal site."""

    family: Family
    mix: Mix
    on_metal_sites: tuple[str, ...]

    @property
    def bones(self) -> Skeleton:
        """Return the cell without elements, n sites."""
        return skeleton(self.family.framework, self.mix.supercell)

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Return the element on each of n sites."""
        fixed = {"Li": "Li", "X": self.family.centre, "O": "O", "F": self.family.terminal}
        metals = iter(self.on_metal_sites)
        return tuple(next(metals) if role == "M" else fixed[role] for role in self.bones.roles)

    @property
    def metals(self) -> dict[str, int]:
        """Return element to number on metal sites, without lithium."""
        return dict(Counter(element for element in self.on_metal_sites if element != "Li"))

    @property
    def framework_charge(self) -> int:
        """Return the charge of oxyanions and anions together."""
        sites = zip(self.elements, self.bones.roles, strict=True)
        return sum((TETRAHEDRAL if role == "X" else ANIONS)[element] for element, role in sites if role in "XOF")

    @property
    def id(self) -> str:
        """Return formula and framework, such as ``LiFePO4-olivine``."""
        centres = self.bones.roles.count("X")
        counts = Counter({"Li": self.elements.count("Li"), **dict(sorted(self.metals.items()))})
        parts = [*counts.items(), *([(self.family.centre, centres)] if centres else ())]
        parts += [(anion, self.elements.count(anion)) for anion in ANIONS if anion in self.elements]
        divisor = int(np.gcd.reduce([count for _, count in parts]))
        formula = "".join(f"{element}{count // divisor if count > divisor else ''}" for element, count in parts)
        return f"{formula}-{self.family.framework.name}"

    def ions(self, states: Charges) -> list[Ion | None]:
        """Return element and state on each of n sites, None on anions; of mixed valence, the lower states first."""
        left = {
            element: iter([state for (e, state), count in sorted(states.items()) if e == element for _ in range(count)])
            for element, _ in states
        }
        return [
            None if role in "OF" else (element, _state(element, role, left))
            for element, role in zip(self.elements, self.bones.roles, strict=True)
        ]


def substituted_entry(recipe: Recipe) -> PoolEntry | list[str]:
    """Return the entry of a recipe, or why there is none."""
    states = balance(recipe.metals, recipe.framework_charge, recipe.elements.count("Li"))
    if states is None:
        return ["no allowed oxidation states balance the lithiated and a delithiated composition"]
    if states.fraction < LEAST_REMOVED:
        return [f"only {states.fraction:.0%} of the lithium can be removed; at least {LEAST_REMOVED:.0%} is required"]
    ions = recipe.ions(states.lithiated)
    lithiated = _structure(recipe, ions)
    wrong = [*charge_faults(states, recipe.framework_charge), *faults(lithiated, _expected(recipe, ions))]
    if wrong:
        return wrong
    host = lithiated.copy()
    host.remove_sites(sorted(_leaving(recipe, states.removed)))
    return PoolEntry(recipe.id, lithiated, host, _provenance(recipe, states))


def _state(element: str, role: str, left: Mapping[str, Iterator[int]]) -> int:
    if element == "Li":
        return 1
    return TETRAHEDRAL[element] if role == "X" else next(left[element])


def _structure(recipe: Recipe, ions: list[Ion | None]) -> Structure:
    """Return the published cell, scaled to the new ions, with oxyanions kept rigid."""
    bones = recipe.bones
    scale = float(np.cbrt(_ion_volume(recipe, ions) / _published_ion_volume(recipe.family.framework)))
    lattice = bones.lattice * scale
    cartesian = bones.coords @ lattice + _restoring(recipe, scale)
    return Structure(Lattice(lattice), recipe.elements, cartesian, coords_are_cartesian=True, to_unit_cell=True)


def _restoring(recipe: Recipe, scale: float) -> NDArray[np.float64] | float:
    """Return the moves of n sites, n x 3 in Å, that give oxyanions their own bond length again.

    Tetrahedra are all but rigid while cells grow and shrink around them (Hazen and Finger, Comparative Crystal
    Chemistry, Wiley 1982). Oxygen moves along its bond to the centre; between two centres, by the mean.
    """
    bones, family = recipe.bones, recipe.family
    if not family.centre:
        return 0.0
    new, published = ((element, TETRAHEDRAL[element]) for element in (family.centre, family.framework.centre))
    oxygen = bones.tetrahedra[:, 1]
    moves = np.zeros_like(bones.coords)
    np.add.at(moves, oxygen, bones.vectors * (bond(new, 4) / bond(published, 4) - scale))
    shared = np.maximum(np.bincount(oxygen, minlength=len(moves)), 1)
    return np.asarray(moves / shared[:, None])


def _ion_volume(recipe: Recipe, ions: list[Ion | None]) -> float:
    """Return the mean over cations of the cube of radius plus oxide radius, in Å3.

    Volumes of isotypic oxides are linear in the cubed radius: Shannon and Prewitt, Acta Cryst. B25, 925 (1969).
    """
    shells = recipe.family.framework.coordination
    pairs = zip(ions, recipe.bones.roles, strict=True)
    return float(np.mean([bond(ion, shells[role]) ** 3 for ion, role in pairs if ion is not None]))


@cache
def _published_ion_volume(framework: Framework) -> float:
    """Return the same of the published compound."""
    units = skeleton(framework).roles.count("M") // sum(framework.metals.values())
    metals = tuple(element for element, count in framework.metals.items() for _ in range(count * units))
    recipe = Recipe(Family(framework, (), framework.centre), Mix("", ()), metals)
    states = assign(recipe.metals, -recipe.framework_charge - recipe.elements.count("Li"))
    if states is None:
        raise ValueError(f"{framework.name}: the published compound does not balance; correct its table entry")
    return _ion_volume(recipe, recipe.ions(states))


def _expected(recipe: Recipe, ions: list[Ion | None]) -> list[Neighbourhood | None]:
    shells = recipe.family.framework.coordination
    return [
        None if ion is None else Neighbourhood(ion, shells[role])
        for ion, role in zip(ions, recipe.bones.roles, strict=True)
    ]


def _leaving(recipe: Recipe, removed: int) -> tuple[int, ...]:
    """Return the lithium sites to empty: those whose loss leaves the rest with the least mutual repulsion."""
    sites = tuple(i for i, element in enumerate(recipe.elements) if element == "Li")
    kept = _farthest(recipe.family.framework, recipe.mix.supercell, sites, len(sites) - removed)
    return tuple(site for site in sites if site not in kept)


@cache
def _farthest(framework: Framework, supercell: Matrix, sites: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the ``count`` sites with the least sum of inverse distances; ties go to the first in the cell."""
    bones = skeleton(framework, supercell)
    apart = Lattice(bones.lattice).get_all_distances(bones.coords, bones.coords)
    subsets = combinations(sites, count)
    return min(subsets, key=lambda chosen: round(sum(1 / apart[i, j] for i, j in combinations(chosen, 2)), 6))


def _provenance(recipe: Recipe, states: Balance) -> dict[str, str]:
    kept = states.lithium - states.removed
    return {
        "family": recipe.family.framework.name,
        "source": recipe.family.framework.source,
        "metals": " ".join(f"{count}{element}" for element, count in sorted(recipe.metals.items())),
        "order": recipe.mix.order,
        "lithiated": states_text(states.lithiated),
        "delithiated": states_text(states.delithiated),
        "lithium_removed": f"{states.removed}/{states.lithium}",
        "host_lithium": "none" if kept == 0 else f"{kept} of {states.lithium}, on the sites farthest from each other",
    }
