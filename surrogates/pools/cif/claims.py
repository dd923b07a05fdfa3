"""What a CIF says of the whole crystal, held against its atoms: formula, formula units, density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from pymatgen.core import Composition, Structure

from surrogates.pools.cif.block import Block, claimed
from surrogates.pools.cif.formulas import SUM, compared
from surrogates.pools.cif.number import CifNumber
from surrogates.pools.cif.orbits import Site
from surrogates.pools.cif.problems import UnreadableError

_SLACK = 0.01  # relative; numbers in files are rounded
_DENSITY_SLACK = 0.02  # relative
_GRAMS = 1.66053906660  # g/cm3 of one unit of mass in 1 Å3; the atomic mass constant of CODATA 2018


@dataclass(frozen=True, slots=True)
class ConsistencyCheck:
    """What holding a file against its atoms has shown.

    Attributes:
        against: what contradicts the atoms, the gravest first.
        formula: whether its formula is theirs.
        count: whether as many of them are in the cell as it says.
        notes: what else it says that differs from them.
    """

    against: tuple[str, ...]
    formula: bool = False
    count: bool = False
    notes: tuple[str, ...] = ()


def verdict(block: Block, structure: Structure, sites: Sequence[Site], operations: int) -> ConsistencyCheck:
    """Return whether the atoms are those that a file says that it holds; no verdict on disordered ones.

    Args:
        operations: how many there are in the group.
    """
    if not structure.is_ordered:
        return ConsistencyCheck(())
    held = structure.composition.remove_charges()
    formulas, units = compared(block, held), _units(block)
    if formulas.said is not None and not formulas.confirmed:
        return ConsistencyCheck(formulas.against)
    count = None if units is None else _counted(units.value, formulas.said, held)
    against = [*formulas.against, *([_miscounted(block, held)] if count is False else [])]
    proven = formulas.confirmed and bool(count)
    weak = () if proven else (_mass(block, structure, units), _density(block, structure), _odd(sites, operations))
    every = (*against, *(text for text in weak if text))
    return ConsistencyCheck(every, formulas.confirmed, bool(count), formulas.notes)


def _units(block: Block) -> CifNumber | None:
    """Return Z; None where it is 0, as pymatgen writes it for cells that are smaller than its formula."""
    units = claimed(block, "_cell_formula_units_z")
    return units if units is not None and units.value > 0 else None


def _counted(units: float, said: Composition | None, held: Composition) -> bool | None:
    """Return whether the cell holds Z formula units, as the formula is written or reduced.

    Without a formula, Z can only be denied: by atoms that cannot be shared out to so many units.
    """
    if said is None:
        whole = gcd(*(round(amount) for amount in held.values()))
        return False if units >= 1 and units.is_integer() and whole % int(units) else None
    wanted = (units * said.num_atoms, units * said.reduced_composition.num_atoms)
    return any(abs(atoms / held.num_atoms - 1) < _SLACK for atoms in wanted)


def _miscounted(block: Block, held: Composition) -> str:
    units, formula = block.word("_cell_formula_units_z"), block.word(SUM)
    of = f" of {formula}" if formula else ""
    return (
        f"holds {held.formula.replace(' ', '')} in its cell, but says _cell_formula_units_Z {units}{of}; correct the "
        "space group, its operations, or Z"
    )


def _mass(block: Block, structure: Structure, units: CifNumber | None) -> str:
    """Return how the mass of the formula contradicts the atoms; empty if it does not."""
    said = claimed(block, "_chemical_formula_weight")
    if said is None or units is None:
        return ""
    held = float(structure.composition.weight) / units.value
    if abs(said.value - held) <= max(_SLACK * held, said.unit, 3 * said.error):
        return ""
    return f"has {held:.1f} g/mol for each of its {units.value:g} units, but says {said.value:g}; atoms are missing"


def _density(block: Block, structure: Structure) -> str:
    """Return how the density that the file has calculated contradicts the atoms; empty if it does not."""
    said = claimed(block, "_exptl_crystal_density_diffrn")
    held = _GRAMS * float(structure.composition.weight) / structure.volume
    if said is None:
        return ""
    allowed = max(_DENSITY_SLACK * held, said.unit, 3 * said.error)
    if any(abs(said.value / unit - held) <= allowed for unit in (1, 1000)):  # some give it in kg/m3
        return ""
    return f"has a density of {held:.3f} g/cm3, but says {said.value:g}; atoms are missing, or too many"


def _odd(sites: Sequence[Site], operations: int) -> str:
    """Return which site has another multiplicity than the file says; some give the order of its symmetry instead."""
    for site in sites:
        said, found = site.atoms[0].multiplicity, len(site.images)
        if said and said != found and said * found != operations and len(site.atoms) == 1:
            return f"{site.atoms[0].label} has {found} images in the cell, but its multiplicity is said to be {said}"
    return ""


def check_unconfirmed(outliers: Sequence[str], found: ConsistencyCheck) -> None:
    """Refuse what is accepted only if the formula confirms it.

    Raises:
        UnreadableError: it does not.
    """
    if outliers and not found.formula:
        raise UnreadableError(f"{outliers[0]}, and no formula confirms it; write it out, or add _chemical_formula_sum")
