"""One candidate material, and the key of its structure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pymatgen.core import Structure


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """One candidate material.

    Attributes:
        id: readable and unique name that depends on neither the order nor the rest of the pool.
        structure: the crystal; the lithiated one in a pool of electrodes.
        host: the delithiated cell of the same framework; None in a pool that holds no electrodes.
        provenance: where the cell comes from: prototype, source, substitution, oxidation states.
    """

    id: str
    structure: Structure
    host: Structure | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


def structure_key(structure: Structure) -> str:
    """Return a content hash of species, lattice (Å) and fractional coordinates, rounded to 1e-6.

    Equal cells written down in the same order of sites have the same key on every machine.
    """
    species = ";".join(site.species_string for site in structure)
    wrapped = np.round(structure.frac_coords, 6) % 1.0
    numbers = np.concatenate([np.round(structure.lattice.matrix, 6), wrapped]) + 0.0
    micro = np.rint(numbers * 1e6).astype("<i8")
    return hashlib.sha256(species.encode() + micro.tobytes()).hexdigest()
