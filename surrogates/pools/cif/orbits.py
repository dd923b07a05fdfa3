"""What symmetry makes of the listed atoms: special positions, atoms that are listed twice, and all their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice
from scipy.spatial import KDTree

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
    placed = [_on_its_position(atom, group, lattice) for atom in atoms]
    for atom, now in zip(atoms, placed, strict=True):
        if np.abs(now.place - atom.place).max() > _TOLD:
            notes.append(
                f"{atom.label} at {_shown(atom.place)} was read as {_shown(now.place)}, where symmetry wants it"
            )
    images = [_images(atom.place, group) for atom in placed]
    sites: dict[int, Site] = {}  # by the number of its first atom
    for number, first in enumerate(_firsts(placed, images, lattice)):
        held = sites[first].atoms if first in sites else ()
        sites[first] = Site((*held, placed[number]), images[first])
    return list(sites.values())


def _firsts(atoms: Sequence[Atom], images: Sequence[Table], lattice: Lattice) -> list[int]:
    """Return for each atom the number of the first one on whose site it stands, which may be its own."""
    owners = np.repeat(np.arange(len(atoms)), [len(each) for each in images])
    every, places = np.concatenate(images) % 1.0, np.array([atom.place for atom in atoms]) % 1.0
    every[every >= 1.0], places[places >= 1.0] = 0.0, 0.0  # as the remainder of a tiny negative number is
    reach = _ONE_PLACE * float(np.linalg.norm(np.linalg.inv(lattice.matrix), axis=0).max())
    near = KDTree(every, boxsize=1.0).query_ball_point(places, min(reach, 0.5), p=np.inf)
    firsts: list[int] = []
    for number, found in enumerate(near):
        step = every[found] - places[number]
        close = np.linalg.norm((step - np.round(step)) @ lattice.matrix, axis=1) < _ONE_PLACE
        shared = [firsts[owner] for owner in owners[found][close] if owner < number]
        firsts.append(min(shared, default=number))
    return firsts


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


def _shown(place: Table) -> str:
    return " ".join(f"{value + 0.0:.5g}" for value in np.round(place, 5))
