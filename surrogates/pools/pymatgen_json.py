"""Pymatgen's JSON of a structure, taken apart here: its own reader imports and runs what ``@module`` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymatgen.core import Structure

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


def _only(data: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: data[key] for key in keys if key in data}
