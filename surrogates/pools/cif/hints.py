"""What a CIF says in passing of atoms that it does not list; noted, as it is no proof."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pymatgen.core import Element, Structure

from surrogates.pools.cif.block import Block, claimed

_GRAMS = 1.66053906660  # g/cm3 of one unit of mass in 1 Å3; the atomic mass constant of CODATA 2018
_MEASURED_SLACK = 0.1  # relative; crystals float in heavy liquids, and have pores
_MASS_SLACK = 0.02  # relative
_MOST_UNITS = 12.5  # beyond, any mass is a whole part of the cell's within its slack
_MIXED = re.compile(r"([A-Z][a-z]?)(?:[\d.]*[/,+]|\d?\.\d+)([A-Z][a-z]?)[\d.]*.*")  # Na1/K1, Na0.8K0.2


def hints(block: Block, structure: Structure, labels: list[str]) -> Iterator[str]:
    """Yield a note for each sign that atoms are missing, where no sum formula confirms those that are there."""
    held = {element.symbol for element in structure.composition.remove_charges()}
    types = [re.match("[A-Za-z]*", word) for word in block.words("_atom_type_symbol")]
    named = dict.fromkeys(found[0].title() for found in types if found)
    if lost := [symbol for symbol in named if Element.is_valid_symbol(symbol) and symbol not in held]:
        yield f"lists {', '.join(lost)} among its types of atoms (_atom_type_symbol), but no such atom"
    listed = block.values("_atom_site_label")
    if lost := [label for label in block.words("_atom_site_aniso_label") if label not in listed]:
        yield f"has displacements of {', '.join(lost[:5])} (_atom_site_aniso_label), but no such atom"
    for label in labels:
        found = _MIXED.fullmatch(label)
        if found and found[1] != found[2] and all(map(Element.is_valid_symbol, found.groups())):
            yield f"has an atom called {label}, which names two elements; one was read"
    yield from _weighed(block, structure)


def _weighed(block: Block, structure: Structure) -> Iterator[str]:
    """Yield a note where a measured density, or a mass of a formula without Z, is not that of the atoms."""
    mass = float(structure.composition.weight)
    held, said = _GRAMS * mass / structure.volume, claimed(block, "_exptl_crystal_density_meas")
    if said is not None and all(abs(said.value / unit / held - 1) > _MEASURED_SLACK for unit in (1, 1000)):
        yield f"has a density of {held:.3f} g/cm3, but {said.value:g} was measured: atoms may be missing"
    unit = claimed(block, "_chemical_formula_weight")
    if unit is None or not unit.value > 0 or claimed(block, "_cell_formula_units_z") is not None:
        return
    count = max(mass / unit.value, unit.value / mass)
    if count < _MOST_UNITS and abs(count / round(count) - 1) > _MASS_SLACK:
        yield f"has {mass:.1f} g/mol in its cell, no multiple of the {unit.value:g} that it says: atoms may be missing"
