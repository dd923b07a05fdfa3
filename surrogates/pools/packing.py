"""Cells as bytes: what is kept of a structure, exact to the last bit."""

from __future__ import annotations

import zlib

import numpy as np
from pymatgen.core import Element, Lattice, Structure


def plain_cell(structure: Structure) -> Structure:
    """Return lattice, elements and fractional coordinates alone: no charges, moments or other site properties."""
    elements = [Element.from_Z(next(iter(site.species)).Z) for site in structure]
    return Structure(Lattice(structure.lattice.matrix), elements, structure.frac_coords)


def pack(structure: Structure) -> bytes:
    """Return a plain cell as compressed bytes."""
    numbers = np.array(structure.atomic_numbers, dtype="<u1")
    floats = np.concatenate([structure.lattice.matrix, structure.frac_coords]).astype("<f8")
    return zlib.compress(numbers.tobytes() + floats.tobytes())


def unpack(packed: bytes) -> Structure:
    """Return the cell that was packed."""
    raw = zlib.decompress(packed)
    count = (len(raw) - 72) // 25  # a cell is 9 numbers of 8 bytes, a site 3 and 1 byte for the element
    elements = [Element.from_Z(number) for number in raw[:count]]
    floats = np.frombuffer(raw, dtype="<f8", offset=count).reshape(-1, 3)
    return Structure(Lattice(floats[:3]), elements, floats[3:])
