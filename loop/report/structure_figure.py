"""A crystal in three dimensions, as a dict in Plotly's JSON format: atoms, bonds and the edges of the cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loop.report.element_style import ELEMENTS, Element
from loop.report.style import GREY, Figure, Trace
from loop.storage.pool_snapshot import Crystal

Points = NDArray[np.float64]

_ON_FACE = 0.02  # fractional: an atom this close to a face is shown on the opposite one too
_BALL = 0.42  # radius of a ball in covalent radii
_REACH = 1.15  # a bond is at most this long in sums of covalent radii
_TIGHT = 1.0  # and this, between two anions
_ANIONS = ({"F", "O", "Cl", "N", "Br", "I", "S", "Se", "Te"}, {"P", "As", "Sb", "Si", "Ge", "C", "B", "H"})
"""What the other elements bond to: those of the first set, where a crystal has none those of the second, else all."""
_ZOOM = 1.55
_FINEST = ((48, 2), (200, 1))  # so many atoms at most, each so finely drawn
_UNKNOWN = Element("?", 0, 1.5, GREY)


def structure_figure(crystal: Crystal) -> Figure:
    """Return a cell with all atoms on its faces, its bonds, and its edges; it can be turned."""
    drawn = _Drawn(crystal)
    camera = {"eye": {"x": 0.85, "y": 1.1, "z": 0.45}, "projection": {"type": "orthographic"}}
    layout = {
        "height": 384,
        "margin": {"l": 0, "r": 0, "t": 28, "b": 26},
        "scene": _cube(drawn) | {"camera": camera, "dragmode": "orbit"},
        "legend": {
            "orientation": "h",
            "x": 0.5,
            "xanchor": "center",
            "y": 0,
            "yanchor": "top",
            "itemsizing": "constant",
        },
    }
    return {"data": [_edges(crystal.lattice), *_bonds(drawn), *_balls(drawn)], "layout": layout}


def _cube(drawn: _Drawn) -> dict[str, Any]:
    """Return a space with one scale for all directions that the atoms fill, however they are turned."""
    low, high = drawn.places.min(axis=0), drawn.places.max(axis=0)
    reach = float((high - low).max()) / 2 + _BALL * max(element.radius for element in drawn.elements.values())
    middle = ((low + high) / 2).tolist()
    axes = {
        f"{axis}axis": {"visible": False, "range": [centre - reach, centre + reach]}
        for axis, centre in zip("xyz", middle, strict=True)
    }
    return axes | {"aspectmode": "manual", "aspectratio": dict.fromkeys("xyz", _ZOOM)}


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The m atoms that are drawn."""

    crystal: Crystal

    @cached_property
    def sites(self) -> list[tuple[int, Points]]:
        """The number of the site and the fractional coordinates of each atom."""
        return [(i, place) for i, site in enumerate(self.crystal.coordinates) for place in _images(site)]

    @cached_property
    def symbols(self) -> list[str]:
        """The element of each atom."""
        return [self.crystal.symbols[i] for i, _ in self.sites]

    @cached_property
    def places(self) -> Points:
        """Where the atoms are, m x 3, in Å."""
        found: Points = np.array([place for _, place in self.sites]) @ self.crystal.lattice
        return found

    @property
    def elements(self) -> dict[str, Element]:
        """The elements by symbol, in the order of their numbers."""
        found = {symbol: ELEMENTS.get(symbol, _UNKNOWN) for symbol in self.symbols}
        return dict(sorted(found.items(), key=lambda pair: pair[1].number))


def _images(site: Points) -> list[Points]:
    """Return an atom within the cell, and where it lies on faces its copies on the opposite ones."""
    wrapped = site - np.floor(site + _ON_FACE)
    shifts = product(*((0.0, 1.0) if f < _ON_FACE else (0.0,) for f in wrapped))
    return [wrapped + np.array(shift) for shift in shifts]


def _bonds(drawn: _Drawn) -> list[Trace]:
    """Return bonds as lines, each half in the colour of its atom."""
    halves: dict[str, list[tuple[Points, Points]]] = {}
    for i, j in _bonded(drawn):
        middle = (drawn.places[i] + drawn.places[j]) / 2
        for end in (i, j):
            halves.setdefault(drawn.symbols[end], []).append((drawn.places[end], middle))
    return [_lines(parts, ELEMENTS.get(symbol, _UNKNOWN).colour, 7) for symbol, parts in halves.items()]


def _bonded(drawn: _Drawn) -> list[tuple[int, int]]:
    """Return which atoms are bonded, by the sums of their covalent radii."""
    radii = np.array([ELEMENTS.get(symbol, _UNKNOWN).radius for symbol in drawn.symbols])
    apart = np.linalg.norm(drawn.places[:, None] - drawn.places[None], axis=-1)
    anion = _anions(drawn.symbols)
    both, either = anion[:, None] & anion[None], anion[:, None] | anion[None]
    limit = np.where(either, np.where(both & ~anion.all(), _TIGHT, _REACH), 0.0) * (radii[:, None] + radii[None])
    first, second = np.nonzero(np.triu(apart < limit, k=1))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def _anions(symbols: Sequence[str]) -> NDArray[np.bool_]:
    for group in _ANIONS:
        found = np.array([symbol in group for symbol in symbols])
        if found.any():
            return found
    return np.ones(len(symbols), dtype=bool)


def _edges(lattice: Points) -> Trace:
    """Return the twelve edges of the cell."""
    corners = [np.array(corner, dtype=float) for corner in product((0, 1), repeat=3)]
    pairs = [(a @ lattice, b @ lattice) for a, b in combinations(corners, 2) if np.abs(a - b).sum() == 1]
    return _lines(pairs, GREY, 2)


def _lines(parts: Sequence[tuple[Points, Points]], colour: str, width: int) -> Trace:
    ends = [(*a.round(3).tolist(), *b.round(3).tolist()) for a, b in parts]
    along = {
        axis: [value for end in ends for value in (end[k], end[k + 3], None)] for k, axis in enumerate(("x", "y", "z"))
    }
    style: Mapping[str, Any] = {"color": colour, "width": width}
    return {"type": "scatter3d", "mode": "lines", "line": style, "hoverinfo": "skip", "showlegend": False, **along}


def _balls(drawn: _Drawn) -> list[Trace]:
    """Return one mesh of balls for each element."""
    fineness = next((level for most, level in _FINEST if len(drawn.symbols) <= most), 0)
    vertices, faces = _ball(fineness)
    found = []
    for symbol, element in drawn.elements.items():
        centres = drawn.places[[s == symbol for s in drawn.symbols]]
        points = (centres[:, None] + _BALL * element.radius * vertices).reshape(-1, 3).round(3)
        corners = (len(vertices) * np.arange(len(centres))[:, None, None] + faces).reshape(-1, 3)
        found.append(_mesh(points, corners) | {"name": symbol, "color": element.colour})
    return found


def _mesh(points: Points, corners: NDArray[np.int64]) -> Trace:
    light = {"ambient": 0.7, "diffuse": 0.5, "specular": 0.3, "roughness": 0.4, "fresnel": 0.05}
    return {
        "type": "mesh3d",
        **{axis: points[:, k].tolist() for k, axis in enumerate(("x", "y", "z"))},
        **{corner: corners[:, k].tolist() for k, corner in enumerate(("i", "j", "k"))},
        "hoverinfo": "name",
        "showlegend": True,
        "lighting": light,
    }


@cache
def _ball(fineness: int) -> tuple[Points, NDArray[np.int64]]:
    """Return vertices, v x 3, and faces, f x 3, of a unit ball: an icosahedron whose faces are divided in four."""
    golden = (1 + 5**0.5) / 2
    plane = [(0.0, a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    points = np.array([np.roll(point, turn) for turn in range(3) for point in plane])
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    near = apart < 2.1
    corners = [f for f in combinations(range(12), 3) if all(near[a, b] for a, b in combinations(f, 2))]
    faces = [
        (a, b, c) if np.linalg.det(points[[a, b, c]]) > 0 else (a, c, b) for a, b, c in corners
    ]  # seen from outside
    for _ in range(fineness):
        points, faces = _divided(points, faces)
    return points / np.linalg.norm(points, axis=1, keepdims=True), np.array(faces)


def _divided(points: Points, faces: Sequence[tuple[int, int, int]]) -> tuple[Points, list[tuple[int, int, int]]]:
    edges = {frozenset(pair) for face in faces for pair in combinations(face, 2)}
    middles = {edge: len(points) + number for number, edge in enumerate(sorted(edges, key=sorted))}
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    new = np.array([unit[sorted(edge)].mean(axis=0) for edge in middles])
    found = []
    for a, b, c in faces:
        ab, bc, ca = (middles[frozenset(pair)] for pair in ((a, b), (b, c), (c, a)))
        found += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([unit, new]), found
