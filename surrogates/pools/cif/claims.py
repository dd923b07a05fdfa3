"""What a CIF says of the whole crystal, held against its atoms: formula, formula units, density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pymatgen.core import Composition, Structure

from surrogates.pools.cif.block import Block
from surrogates.pools.cif.number import number
from surrogates.pools.cif.orbits import Site
from surrogates.pools.cif.problems import UnreadableError

_SLACK = 0.01  # relative; formulas in files are rounded
_DENSITY_SLACK = 0.02  # relative
_GRAMS = 1.66053906660  # g/cm3 of one unit of mass in 1 Å3; the atomic mass constant of CODATA 2018
_NO_FORMULA = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holding a file against its atoms has shown.

    Attributes:
        against: what contradicts the atoms, the gravest first.
        formula: whether its formula is theirs.
        count: whether as many of them are in the cell as it says.
    """

    against: tuple[str, ...]
    formula: bool = False
    count: bool = False


def verdict(block: Block, structure: Structure, sites: Sequence[Site], operations: int) -> Verdict:
    """Return whether the atoms are those that a file says that it holds; no verdict on disordered ones.

    Args:
        operations: how many there are in the group.
    """
    if not structure.is_ordered:
        return Verdict(())
    said, against = _formula(block), []
    held = structure.composition.remove_charges()
    formula = said is not None and _alike(said, held)
    if said is not None and not formula:
        text = block.word("_chemical_formula_sum")
        against.append(f"holds {held.reduced_formula}, but says that it is {text}; atoms are missing, or too many")
    count = _counted(block, said, held) if said is not None and formula else None
    if count is False:
        units = block.word("_cell_formula_units_z")
        against.append(
            f"holds {held.num_atoms:g} atoms in its cell, but says _cell_formula_units_Z {units} of "
            f"{block.word('_chemical_formula_sum')}; correct the space group, its operations, or Z"
        )
    density = _density(block, structure)
    if density is not None and not (formula and count):
        against.append(density)
    if (odd := _multiplicity(sites, operations)) is not None and not formula:
        against.append(odd)
    return Verdict(tuple(against), formula, bool(count))


def _formula(block: Block) -> Composition | None:
    text = block.word("_chemical_formula_sum")
    try:
        return None if text is None else Composition(text.replace("'", "")).remove_charges()
    except _NO_FORMULA:
        return None  # no formula that could contradict


def _alike(said: Composition, held: Composition) -> bool:
    return bool(said.fractional_composition.almost_equals(held.fractional_composition, rtol=_SLACK, atol=1e-4))


def _counted(block: Block, said: Composition, held: Composition) -> bool | None:
    """Return whether the cell holds Z formula units, as the formula is written or reduced; None without a Z."""
    word = block.word("_cell_formula_units_z")
    if word is None:
        return None
    units = number(word, "_cell_formula_units_Z").value
    wanted = (units * said.num_atoms, units * said.reduced_composition.num_atoms)
    return any(abs(atoms / held.num_atoms - 1) < _SLACK for atoms in wanted)


def _density(block: Block, structure: Structure) -> str | None:
    """Return how the density that the file has calculated contradicts the atoms."""
    word = block.word("_exptl_crystal_density_diffrn")
    if word is None:
        return None
    said = number(word, "_exptl_crystal_density_diffrn")
    held = _GRAMS * float(structure.composition.weight) / structure.volume
    allowed = max(_DENSITY_SLACK * held, said.unit, 3 * said.error)
    if any(abs(said.value / unit - held) <= allowed for unit in (1, 1000)):  # some give it in kg/m3
        return None
    return f"has a density of {held:.3f} g/cm3, but says {word}; atoms are missing, or too many"


def _multiplicity(sites: Sequence[Site], operations: int) -> str | None:
    """Return which site has another multiplicity than the file says; some give the order of its symmetry instead."""
    for site in sites:
        said, found = site.atoms[0].multiplicity, len(site.images)
        if said and said != found and said * found != operations and len(site.atoms) == 1:
            return f"{site.atoms[0].label} has {found} images in the cell, but its multiplicity is said to be {said}"
    return None


def check_doubts(doubts: Sequence[str], found: Verdict) -> None:
    """Refuse what is to be believed only where the formula confirms it.

    Raises:
        UnreadableError: it does not.
    """
    if doubts and not found.formula:
        raise UnreadableError(f"{doubts[0]}, and no formula confirms it; write it out, or add _chemical_formula_sum")
