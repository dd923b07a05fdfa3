"""What symmetry makes of the listed atoms: special positions, atoms that are listed twice, and all their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice

from surrogates.pools.cif.atoms import Atom
from surrogates.pools.cif.group import Group

_EXACT = 1e-4  # fractions; what is nearer is one place
_NEAREST = 0.25  # Å; atoms farther from their images are no atoms on a special position that was rounded
_ONE_PLACE = 0.05  # Å; what is listed nearer than that shares a site
_TOLD = 1e-4  # fractions; smaller changes are the rounding that everybody expects

Table = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Site:
    """A site with all its images.

    Attributes:
        atoms: what fills it.
        images: fractional coordinates in [0, 1), m x 3, in the order of the operations.
    """

    atoms: tuple[Atom, ...]
    images: Table


def sites_of(atoms: Sequence[Atom], group: Group, lattice: Lattice, notes: list[str]) -> list[Site]:
    """Return the sites that atoms fill, each with what it holds; rounded special positions become exact."""
    sites: list[Site] = []
    for atom in atoms:
        placed = _on_its_position(atom, group, lattice)
        moved = np.abs(placed.place - atom.place).max()
        if moved > _TOLD:
            notes.append(
                f"{atom.label} at {_shown(atom.place)} was read as {_shown(placed.place)}, where symmetry wants it"
            )
        images = _images(placed.place, group)
        shared = next((number for number, site in enumerate(sites) if _meets(placed, site, lattice)), None)
        if shared is None:
            sites.append(Site((placed,), images))
        else:
            sites[shared] = replace(sites[shared], atoms=(*sites[shared].atoms, placed))
    return sites


def _on_its_position(atom: Atom, group: Group, lattice: Lattice) -> Atom:
    """Return an atom at the mean of those of its images that its digits cannot tell from it."""
    if len(group.rotations) == 1:
        return atom
    step = _steps(atom.place, group)
    reach = np.abs(group.rotations - np.eye(3, dtype=np.int64)) @ atom.slack + _EXACT
    near = (np.abs(step) <= reach).all(axis=1) & (np.linalg.norm(step @ lattice.matrix, axis=1) < _NEAREST)
    if near.sum() == 1:
        return atom
    place = atom.place + step[near].mean(axis=0)
    left = _steps(place, group)[near]
    return replace(atom, place=place) if np.abs(left).max() < _EXACT else atom


def _steps(place: Table, group: Group) -> Table:
    """Return the way to the nearest image under each operation, n x 3."""
    step = group.rotations @ place + group.translations - place
    return np.asarray(step - np.round(step), dtype=float)


def _images(place: Table, group: Group) -> Table:
    """Return the different images of a place."""
    images = group.rotations @ place + group.translations
    images -= np.floor(images)
    if len(images) == 1:
        return np.asarray(images, dtype=float)
    apart = images[:, None] - images[None]
    same = (np.abs(apart - np.round(apart)) < _EXACT).all(axis=2)
    first = np.argmax(same, axis=1) == np.arange(len(images))
    return np.asarray(images[first], dtype=float)


def _meets(atom: Atom, site: Site, lattice: Lattice) -> bool:
    """Return whether an atom stands on a site."""
    step = site.images - atom.place
    step -= np.round(step)
    return bool((np.linalg.norm(step @ lattice.matrix, axis=1) < _ONE_PLACE).any())


def _shown(place: Table) -> str:
    return " ".join(f"{value + 0.0:.5g}" for value in np.round(place, 5))
