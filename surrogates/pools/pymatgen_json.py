"""Pymatgen's JSON of a structure, taken apart here: its own reader imports and runs what ``@module`` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pymatgen.core import Composition, Lattice, Structure

from surrogates.pools.cif.problems import UnreadableError

_TWICE = 0.01  # Å; what is said twice may differ by rounding
_ANGLE = 0.1  # degrees
_FARTHEST = 2.0  # cells; fractions beyond are taken for Å
_SLACK = 0.01  # relative; formulas are rounded
_FORMULAS = ("formula", "formula_pretty", "pretty_formula", "reduced_formula", "full_formula", "composition")
_NO_FORMULA = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_LATTICE = ("matrix", "a", "b", "c", "alpha", "beta", "gamma", "pbc")
_SITE = ("abc", "label")
_SPECIES = ("element", "occu", "oxidation_state", "spin")


def structure_of(data: Mapping[str, Any]) -> Structure:
    """Return the structure of a mapping as ``Structure.as_dict`` writes it: lattice, species, places and charge.

    Properties of sites and of the whole are left out: nothing here reads them, and they may name any code.

    Raises:
        LookupError, TypeError, ValueError: it is no such mapping.
    """
    sites = [
        {**_only(site, _SITE), "species": [_only(one, _SPECIES) for one in site["species"]]} for site in data["sites"]
    ]
    lattice = _only(data["lattice"], _LATTICE)
    return Structure.from_dict({"lattice": lattice, "sites": sites, "charge": data.get("charge")})


def check_twice(data: Mapping[str, Any]) -> None:
    """Refuse a structure whose numbers say two things: a changed lattice, or changed places.

    Raises:
        UnreadableError: they do, or fractions that seem to be in Å.
    """
    lattice, sites = data["lattice"], data["sites"]
    _check_fractions([site["abc"] for site in sites if "xyz" not in site])
    if "matrix" not in lattice:
        return
    matrix = np.array(lattice["matrix"], dtype=float)
    if not np.isfinite(matrix).all():
        return  # what is wrong with it is told by its own name
    lengths = [float(lattice[axis]) for axis in "abc" if axis in lattice]
    if len(lengths) == 3 and not np.allclose(lengths, np.linalg.norm(matrix, axis=1), rtol=_TWICE, atol=_TWICE):
        raise UnreadableError(
            f"has a lattice whose a, b, c ({', '.join(f'{x:g}' for x in lengths)}) are not its matrix's"
        )
    angles = [float(lattice[name]) for name in ("alpha", "beta", "gamma") if name in lattice]
    flat = abs(np.linalg.det(matrix)) < _TWICE  # which is told by its own name
    if len(angles) == 3 and not flat and not np.allclose(angles, Lattice(matrix).angles, rtol=0, atol=_ANGLE):
        raise UnreadableError(
            f"has a lattice whose angles ({', '.join(f'{x:g}' for x in angles)} degrees) are not its matrix's"
        )
    if not all("xyz" in site and "abc" in site for site in sites):
        return
    places = np.array([site["abc"] for site in sites], dtype=float).reshape(-1, 3) @ matrix
    apart = np.linalg.norm(places - np.array([site["xyz"] for site in sites], dtype=float).reshape(-1, 3), axis=1)
    if (apart > _TWICE).any():
        site = int(np.argmax(apart))
        raise UnreadableError(f"has site {site + 1} at two places: its abc and xyz are {apart[site]:.2g} Å apart")


def _check_fractions(places: Sequence[Sequence[float]]) -> None:
    """Refuse fractions far outside the cell that no Cartesian coordinates confirm."""
    largest = max((abs(float(value)) for place in places for value in place), default=0.0)
    if largest > _FARTHEST:
        raise UnreadableError(f"has a site with abc up to {largest:g}, which seem to be in Å; write fractions")


def formula_notes(entry: Mapping[str, Any], structure: Structure) -> Iterator[str]:
    """Yield a note for each formula beside a structure that is not that of its atoms."""
    held = structure.composition.remove_charges().fractional_composition
    for key in _FORMULAS:
        said = entry.get(key)
        try:
            found = Composition(said).remove_charges().fractional_composition
        except _NO_FORMULA:
            continue
        if found and not found.almost_equals(held, rtol=_SLACK, atol=1e-4):
            written = said if isinstance(said, str) else Composition(said).formula
            yield f"says {written} as {key}, but was read as {structure.composition.reduced_formula}, as its sites say"


def _only(data: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: data[key] for key in keys if key in data}
