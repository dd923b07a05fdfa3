"""Oxidation states and ionic radii of lithium-ion cathodes: exact charge balance, lithiated and delithiated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, product

from pymatgen.core import Species

Charges = Mapping[tuple[str, int], int]
"""(element, oxidation state) to number of atoms in the cell."""

REDOX: Mapping[str, tuple[int, ...]] = {
    "Ti": (3, 4),
    "V": (3, 4, 5),
    "Cr": (3, 4),
    "Mn": (2, 3, 4),
    "Fe": (2, 3),
    "Co": (2, 3, 4),
    "Ni": (2, 3, 4),
    "Cu": (2, 3),
    "Nb": (3, 4, 5),
    "Mo": (3, 4, 5, 6),
}
"""States of the redox-active ions in lithium oxides and polyanion compounds.

Those of Hautier et al., Chem. Mater. 23, 3495 (2011), without V2+ and Cr2+ (reducing, unknown in such hosts), Fe4+
(oxidises oxygen) and octahedral Cr5+, Cr6+ (tetrahedral only; Shannon, Acta Cryst. A32, 751 (1976)).
"""

INERT: Mapping[str, int] = {"Mg": 2, "Al": 3, "Zn": 2, "Zr": 4, "Sn": 4}
"""Ions that can take part in no redox reaction below 5 V."""

TETRAHEDRAL: Mapping[str, int] = {"P": 5, "S": 6, "Si": 4, "Ge": 4, "V": 5}
"""Centres of oxyanions, always in their highest state."""

ANIONS: Mapping[str, int] = {"O": -2, "F": -1}

COUPLES = (
    *(("Nb", 3), ("Ti", 3), ("Nb", 4), ("Mo", 3), ("Mo", 4), ("Mo", 5), ("Fe", 2), ("V", 3), ("V", 4)),
    *(("Mn", 2), ("Co", 2), ("Mn", 3), ("Cr", 3), ("Ni", 2), ("Ni", 3), ("Co", 3), ("Cu", 2)),
)
"""(element, lower state) of each couple, the most easily oxidised first.

The order of the couples in octahedral oxides: Goodenough and Kim, Chem. Mater. 22, 587 (2010).
"""

LOW_SPIN = frozenset({("Co", 3), ("Ni", 3), ("Ni", 4), ("Cu", 3)})
OXIDE_RADIUS = 1.38  # Å, O2- with four neighbours: Shannon, Acta Cryst. A32, 751 (1976)


@dataclass(frozen=True, slots=True)
class Balance:
    """Oxidation states before and after the removal of lithium.

    Attributes:
        lithiated: states of the metals with all lithium in the cell.
        delithiated: states of the metals after the removal.
        lithium: lithium atoms in the cell.
        removed: lithium atoms that the metals can pay for.
    """

    lithiated: Charges
    delithiated: Charges
    lithium: int
    removed: int

    @property
    def fraction(self) -> float:
        """Return the share of the lithium that can be removed."""
        return self.removed / self.lithium


def balance(metals: Mapping[str, int], framework_charge: int, lithium: int) -> Balance | None:
    """Return the states of the metals, lithiated and with the most lithium removed; None where there are none.

    Args:
        metals: element to number of atoms on metal sites.
        framework_charge: charge of everything in the cell but lithium and these metals.
        lithium: lithium atoms in the cell.
    """
    lithiated = assign(metals, -framework_charge - lithium)
    if lithiated is None:
        return None
    for removed in range(lithium, 0, -1):
        delithiated = assign(metals, -framework_charge - lithium + removed)
        if delithiated is not None:
            return Balance(lithiated, delithiated, lithium, removed)
    return None


def assign(metals: Mapping[str, int], charge: int) -> Charges | None:
    """Return the states that add up to ``charge`` at the least cost; None where no assignment does.

    All assignments are enumerated. The cost of one is the sum over its atoms of the couples that were passed, each by
    its place in ``COUPLES``, so that of Ni3+ with Mn3+ and Ni2+ with Mn4+ the second is chosen.
    """
    found: list[tuple[int, list[tuple[str, int]]]] = []
    for choice in product(*(_multisets(element, count) for element, count in sorted(metals.items()))):
        atoms = [atom for part in choice for atom in part]
        if sum(state for _, state in atoms) == charge:
            found.append((sum(_cost(*atom) for atom in atoms), atoms))
    return dict(sorted(Counter(min(found)[1]).items())) if found else None


def states_of(element: str) -> tuple[int, ...]:
    """Return the states that a metal may have on a metal site, the lowest first."""
    return REDOX[element] if element in REDOX else (INERT[element],)


def total_charge(charges: Charges) -> int:
    """Return the charge of all atoms together."""
    return sum(state * count for (_, state), count in charges.items())


def states_text(charges: Charges) -> str:
    """Return the states as text, such as ``Mn4+ Ni2+``, with counts where an element is mixed."""
    elements = Counter(element for element, _ in charges)
    return " ".join(
        f"{count if elements[element] > 1 else ''}{element}{state}+" for (element, state), count in charges.items()
    )


@cache
def radius(element: str, state: int, coordination: int) -> float:
    """Return the ionic radius in Å: Shannon, Acta Cryst. A32, 751 (1976).

    Five-coordination is the mean of four and six. An ion that the table lacks in fourfold coordination is taken at
    0.76 of its sixfold radius, the mean ratio of the 3d ions that it has in both.
    """
    if coordination == 5:
        return 0.5 * (radius(element, state, 4) + radius(element, state, 6))
    table = Species(element, state).element.data["Shannon radii"].get(str(state), {})
    spins = table.get({4: "IV", 6: "VI"}[coordination])
    if spins is None and coordination == 4:
        return 0.76 * radius(element, state, 6)
    if spins is None:
        raise ValueError(f"Shannon's table has no {coordination}-fold {element}{state}+; use an ion that it has")
    wanted = "Low Spin" if (element, state) in LOW_SPIN else "High Spin"
    spin = wanted if wanted in spins else next(iter(spins))
    return float(spins[spin]["ionic_radius"])


def bond(ion: tuple[str, int], coordination: int) -> float:
    """Return the expected distance from an ion to oxygen in Å: the sum of Shannon's radii."""
    return radius(*ion, coordination) + OXIDE_RADIUS


@cache
def _multisets(element: str, count: int) -> tuple[tuple[tuple[str, int], ...], ...]:
    ions: Iterable[tuple[str, int]] = ((element, state) for state in states_of(element))
    return tuple(combinations_with_replacement(tuple(ions), count))


@cache
def _cost(element: str, state: int) -> int:
    passed = (lower for lower in states_of(element) if lower < state)
    return sum(COUPLES.index((element, lower)) for lower in passed)
